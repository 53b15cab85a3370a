"""{{ plan().project.name | docstring }}."""
