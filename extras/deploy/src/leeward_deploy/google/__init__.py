"""What leeward writes for Google Cloud: packages, Terraform, edge rules, workflows."""
