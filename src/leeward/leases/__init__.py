"""Leases: one process may work on a row until a time. Deliveries and runs of workflows use them.

`rules` decides, and is pure. `threads` has a loop that looks for rows, and a pool that works on
them. `holders` shows whether the process with a lease is dead. The protocols of stores are
`leeward.stores` for deliveries and `workflow.embedded.journal` for runs.
"""
