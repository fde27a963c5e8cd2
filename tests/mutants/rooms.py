"""All planted faults, by the room that they are planted in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tests.mutants import aws, azure, google, items, kit, wire
from tests.mutants.mutant import Mutant

ROOMS: Final[Mapping[str, Sequence[Mutant]]] = {
    "wire": wire.MUTANTS,
    "kit": kit.MUTANTS,
    "aws": aws.MUTANTS,
    "azure": azure.MUTANTS,
    "google": google.MUTANTS,
    "items": items.MUTANTS,
}
