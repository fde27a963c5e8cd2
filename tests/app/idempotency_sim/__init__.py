"""Deliveries of one key, in virtual time, against a table that loses answers.

Each delivery is a process of its own: it may be killed at every step, fall asleep past its lease,
and has a clock of its own. What it asks of the table is leeward's own code, `steps`; the table, the
handler and the faults are here.
"""
