"""Azure as the tests need it: real servers where there are any, ours where there are none."""
