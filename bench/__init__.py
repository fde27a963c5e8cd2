"""What leeward costs, measured beside what people would use otherwise: `python -m bench`."""
