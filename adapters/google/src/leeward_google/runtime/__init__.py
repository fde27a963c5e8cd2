"""What the functions-framework serves: an app's handlers behind every kind of request."""
