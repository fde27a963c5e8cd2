"""What the project depends on: whether it is known to be vulnerable, and a list of all of it."""
