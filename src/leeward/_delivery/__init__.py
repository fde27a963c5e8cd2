"""Delivery in the background, at least once: leases, retries, dead letters.

`policy` decides, and is pure; `rows` are the values; `store` keeps them in SQLite; `workers` have
the threads that make attempts, and `dispatcher` the loop that leases rows for them and writes down
how they have ended. What is delivered, and what a handler makes of it, is the business of whoever
uses this.
"""
