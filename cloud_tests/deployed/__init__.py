"""The code of the functions, and how it is packed for a cloud."""
