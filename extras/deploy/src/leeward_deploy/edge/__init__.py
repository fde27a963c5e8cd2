"""The edge: static rules as data, and what a provider's edge can take."""
