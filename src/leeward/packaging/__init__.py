"""Packages of an app: what `leeward package` makes for each cloud."""
