"""What is deployed on several clouds; each puts this folder on its path."""
