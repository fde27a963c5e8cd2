"""What the Functions host calls: an app's handlers, each with a trigger of its own."""
