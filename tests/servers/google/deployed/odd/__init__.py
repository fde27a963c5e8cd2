"""Functions that do what functions should not."""
