"""Azure, as the contract needs it: a group with an app of Functions, and all that it works with."""
