"""What ``leeward backup`` shows."""
