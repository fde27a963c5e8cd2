"""Who asks: where credentials come from, and how a request proves them."""
