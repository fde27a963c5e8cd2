"""Objects: Cloud Storage."""
