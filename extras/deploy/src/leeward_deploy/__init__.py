"""What leeward does before a deployment: packages, templates, edge rules, exported flows."""
