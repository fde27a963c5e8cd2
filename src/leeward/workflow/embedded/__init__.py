"""The embedded engine: runs of workflows in this process, and the journal that keeps them.

`engine` is what a client calls. `driving` makes the steps of one run, `workers` takes up runs.
`journal` is the protocol of a store of runs, `sqlite_journal` is one.
"""
