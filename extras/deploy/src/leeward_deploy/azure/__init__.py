"""What leeward writes for Azure: packages, Terraform, edge rules, Durable Functions."""
