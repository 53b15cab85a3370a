"""Reports: a row that says what is wanted, and a task that makes it. The pattern for your own apps."""
