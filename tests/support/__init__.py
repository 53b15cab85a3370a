"""Baked projects, environments, brokers and processes of the tests."""
