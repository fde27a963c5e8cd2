"""A payment under failover across clouds, with answers lost after the money has moved.

`python -m tests.app.payments` simulates it; `tests/clouds/test_payments.py` makes the calls over
real sockets, to AWS's and Google's own runtimes behind fault proxies.
"""
