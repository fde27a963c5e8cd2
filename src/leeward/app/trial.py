"""What became of a run, as a test looks at it: alike for every platform."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from leeward.app.handlers import Handler
from leeward.app.triggers import Delivery
from leeward.masking import mask
from leeward.values import Json


class Ran(NamedTuple):
    """What the platform would make of a run.

    Attributes:
        value: of a call, what was returned.
        error_type: class of the failure; None for a success.
        error_message: what the caller may read of it.
        again: the platform would deliver it again.
    """

    value: Json = None
    error_type: str | None = None
    error_message: str | None = None
    again: bool = False

    def __repr__(self) -> str:
        return mask(self, "error_type again")

    @property
    def failed(self) -> bool:
        """Return whether it has failed."""
        return self.error_type is not None or self.again


class Trial(Protocol):
    """A runtime without its platform, which an adapter has for tests."""

    def run(self, handler: Handler, delivery: Delivery) -> Ran:
        """Put a delivery into the platform's own form, run it, and read the answer."""
