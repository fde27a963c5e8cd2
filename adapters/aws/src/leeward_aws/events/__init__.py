"""Events: publish to a bus."""
