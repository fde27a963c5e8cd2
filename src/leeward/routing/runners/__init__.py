"""The runners: they carry out what the core decides, on threads and on event loops.

The only places in routing that read a clock, hold a lock or start anything.
"""
