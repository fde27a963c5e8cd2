"""AWS, as the contract needs it: made in an account, used, and removed."""
