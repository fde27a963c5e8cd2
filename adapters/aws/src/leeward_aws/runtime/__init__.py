"""What Lambda calls: an app's handlers behind every kind of event."""
