"""The functions of the contract."""
