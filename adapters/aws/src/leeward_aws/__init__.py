"""AWS for leeward: Lambda, EventBridge, DynamoDB and S3."""
