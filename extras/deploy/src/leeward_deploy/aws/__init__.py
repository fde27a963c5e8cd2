"""What leeward writes for AWS: packages, facts, edge functions, state machines."""
