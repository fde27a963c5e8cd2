"""What an exception proves of the call that raised it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

Ran: TypeAlias = Literal["no", "maybe", "yes"]
"""Whether a failed call had an effect, as far as it is proved."""


class Evidence(NamedTuple):
    """What an exception proves.

    Attributes:
        ran: whether the call had an effect.
        why: the reason, for people; it holds nothing of the call's payload.
    """

    ran: Ran
    why: str


Judge: TypeAlias = Callable[[BaseException], Evidence | None]
"""Returns what an exception of one library proves; None if that is not known by its class."""
