"""Delivery in the background, at least once: rows for handlers, retries, dead letters.

`store` says what a store of rows does, and has its values; `sqlite_store` is one. `dispatcher` has
the loop that leases rows and writes down how they have ended. The rules of leases and retries, and
the threads that make attempts, are in `leeward.leases`. What is delivered, and what a handler makes
of it, is the business of the caller.
"""
