"""leeward in other libraries: each module is for one of them, and is loaded with it alone."""
