"""AWS, as the contract needs it: created in an account, used, and removed."""
