"""The index of retry safety: its runner, its server, its results and its page."""
