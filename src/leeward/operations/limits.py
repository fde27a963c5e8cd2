"""The largest that every target of an order takes, and which of them takes no more than that."""

from __future__ import annotations

from collections.abc import Mapping

from leeward.adapter import Limits


class OrderLimits:
    """The limits of an order of targets.

    Args:
        by_target: target to the largest that it takes.

    Attributes:
        smallest: what holds on every one of them.
    """

    def __init__(self, by_target: Mapping[str, Limits]) -> None:
        self.smallest = Limits.smallest([*by_target.values()])
        self._by_target = by_target

    def takes(self, limit: str) -> str:
        """Return which target takes the least, and how much; `limit` is a field of `Limits`."""
        most = getattr(self.smallest, limit)
        names = [name for name, each in self._by_target.items() if getattr(each, limit) == most]
        return f"{', '.join(names)} takes at most {most}"
