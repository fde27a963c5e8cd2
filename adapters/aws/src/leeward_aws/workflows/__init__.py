"""Workflows: a definition as a state machine of Step Functions."""
