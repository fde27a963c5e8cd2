"""What is configured for a target: options, variables, endpoints."""
