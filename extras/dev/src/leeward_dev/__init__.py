"""Develop an app: it runs here, is loaded again after a change, and is seen in a browser."""
