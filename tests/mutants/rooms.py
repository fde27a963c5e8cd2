"""All planted faults, by the room that they are planted in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tests.mutants import idempotency, wire
from tests.mutants.mutant import Mutant

ROOMS: Final[Mapping[str, Sequence[Mutant]]] = {
    "idempotency": idempotency.MUTANTS,
    "wire": wire.MUTANTS,
}
