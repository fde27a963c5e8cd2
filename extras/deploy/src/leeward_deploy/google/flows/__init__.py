"""A workflow as a source of Google Workflows."""
