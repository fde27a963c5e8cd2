"""What `leeward package` makes of an app for Google Cloud."""
