"""Planted faults: each is a small change of leeward's source that one named test must notice."""
