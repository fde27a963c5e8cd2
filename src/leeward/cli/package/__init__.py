"""What `leeward package` finds in a folder, and in its leeward.toml."""
