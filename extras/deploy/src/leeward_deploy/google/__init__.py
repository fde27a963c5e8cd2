"""What leeward writes for Google Cloud: packages, facts, edge rules, workflows."""
