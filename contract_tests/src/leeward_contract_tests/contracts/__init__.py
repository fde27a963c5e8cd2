"""The contracts: one class for each verb, and one for each promise that goes across them."""
