"""{{ plan().name | docstring }}."""
