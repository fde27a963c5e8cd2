"""The app of the contract."""
