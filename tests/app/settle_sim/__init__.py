"""Keys that are called, killed and settled: every interleaving, and a million at random.

What a call and a settler ask of the table, and what follows, is leeward's own code
(`IdempotentCall`, `KeySettlement`, and the generators below them); the table, the function, the
bank, its probe and the faults are here. `oracle.py` says what must hold.
"""
