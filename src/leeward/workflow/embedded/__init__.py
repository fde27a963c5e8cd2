"""The embedded engine: runs of workflows in this process, and the journal that keeps them.

`opening` opens `engine`, which a client asks. `driving` makes the steps of one run, `workers` takes
runs up. `journal` says what keeps runs; `sqlite_journal` does, in `tables`.
"""
