"""The tasks, a module a queue."""
