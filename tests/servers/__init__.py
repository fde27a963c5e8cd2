"""Servers that the tests start on loopback: one that answers, and one that breaks things."""
