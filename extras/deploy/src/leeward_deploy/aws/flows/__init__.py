"""A workflow as a state machine of Step Functions."""
