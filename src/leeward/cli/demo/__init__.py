"""``leeward demo``: a shop on two embedded targets, one of which is broken on purpose."""
