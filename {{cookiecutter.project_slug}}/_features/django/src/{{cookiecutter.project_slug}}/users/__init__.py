"""The user model and its admin."""
