"""What holds for every test: Hypothesis finds the same examples in every run."""

from hypothesis import settings

settings.register_profile("leeward", derandomize=True, deadline=None)
settings.load_profile("leeward")
