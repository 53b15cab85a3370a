"""What the answers mean and what is decided from them, without baking."""
