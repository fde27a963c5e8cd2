"""A module that cannot be loaded."""

raise RuntimeError("this module cannot be loaded")
