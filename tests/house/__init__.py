"""The rules of the house: what must hold of the code base itself."""
