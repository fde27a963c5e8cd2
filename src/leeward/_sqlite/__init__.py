"""A SQLite file, or a database in memory, that threads, processes and forks may share.

It knows nothing of what is kept in it: whoever opens one brings a `Schema`.
"""
