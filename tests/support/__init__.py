"""What the tests share: baked projects, their environments, brokers and processes."""
