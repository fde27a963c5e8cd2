"""The code of the functions, which Lambda's runtime imports from this folder, without packages."""
