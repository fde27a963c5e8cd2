"""An app of odd functions."""
