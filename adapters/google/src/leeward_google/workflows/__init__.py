"""Workflows: a definition as a workflow of Google Cloud Workflows."""
