"""The wire: requests and responses, plans and their runners, and the transport that carries them.

An adapter's operation is a plan, a generator that yields what it needs and returns one result.
Nothing in a plan does I/O; the runner does, once for all adapters.
"""
