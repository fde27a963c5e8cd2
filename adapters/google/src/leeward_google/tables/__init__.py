"""Tables: single items, stored, loaded and deleted."""
