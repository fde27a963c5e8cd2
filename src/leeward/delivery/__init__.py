"""Delivery in the background, at least once: leases, retries, dead letters.

`policy` decides, and is pure; `store` keeps the rows in SQLite; `dispatcher` has the threads. What
is delivered, and what a handler makes of it, is the business of whoever uses this.
"""
