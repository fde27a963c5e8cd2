"""A user's program, as two type checkers read it."""
