"""What `make doctor` does: looks at the running system and its configuration, and says what is wrong."""
