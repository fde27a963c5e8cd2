"""Idempotency beside other libraries: what each lets through, and what a guarded call costs.

`python -m bench.idempotency` puts the same handler to the same mishaps under each library and
prints a table; `python -m bench idempotency` measures CPU.
"""

from __future__ import annotations

from bench.figures import Figure


def measure(rounds: int) -> list[Figure]:
    """Measure what a guarded call costs."""
    from bench.idempotency import cost

    return cost.measure(rounds)
