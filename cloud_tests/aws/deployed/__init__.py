"""The code of the functions: what is uploaded to Lambda."""
