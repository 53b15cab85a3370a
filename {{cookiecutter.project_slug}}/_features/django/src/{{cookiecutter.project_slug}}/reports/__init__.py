"""An example app: saving a `Report` publishes a task that builds it."""
