"""Objects: S3."""
