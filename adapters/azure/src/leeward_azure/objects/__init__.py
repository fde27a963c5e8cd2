"""Objects: Blob storage."""
