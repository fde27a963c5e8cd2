"""AWS for leeward: Lambda, EventBridge and DynamoDB."""
