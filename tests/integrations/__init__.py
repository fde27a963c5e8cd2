"""leeward in other libraries."""
