"""What two features do to each other: a matrix of all pairs, and random triples with a ledger."""
