"""Leases: a row is somebody's until a time. Deliveries and runs of workflows go by them.

`rules` decides, and is pure. `threads` has a loop that looks for rows, and a pool that works on
them. `holders` tells whether the process that has a lease is dead. What a row is, and where it is
kept, is the business of whoever uses this: `leeward.stores` and `workflow.embedded.journal` say
what a store of deliveries, or of runs, does.
"""
