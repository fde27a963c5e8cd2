"""What leeward writes for Azure: packages, facts, edge rules, Durable Functions."""
