"""What stands in for AWS in the tests: real servers, in processes of their own, on loopback."""
