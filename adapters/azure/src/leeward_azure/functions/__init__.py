"""Functions: call one, or queue a call."""
