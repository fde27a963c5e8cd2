"""Workers: what one does, and what several processes do together."""
