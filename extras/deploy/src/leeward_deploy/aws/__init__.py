"""What leeward writes for AWS: packages, CloudFormation, Terraform, edge, state machines."""
