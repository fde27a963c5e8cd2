"""What `leeward package` makes of an app for Azure."""
