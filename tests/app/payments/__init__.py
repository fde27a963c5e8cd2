"""A payment under failover across clouds, with answers lost after the money has moved.

`python -m tests.app.payments` simulates it.
"""
