"""The grammar of a failover order: ``provider[:qualifier]``, separated by commas."""

from __future__ import annotations

import re

from leeward.errors import ConfigError
from leeward.records import NamedTuple

ALIASES = {"gcp": "google"}

_TARGET = r"(?P<provider>[A-Za-z][A-Za-z0-9_-]*)(:(?P<qualifier>[A-Za-z0-9._-]+))?"


class TargetName(NamedTuple):
    """One target of an order."""

    provider: str
    qualifier: str | None = None

    def __str__(self) -> str:
        """Write it as in an order: ``aws:us-east-1``."""
        return self.provider if self.qualifier is None else f"{self.provider}:{self.qualifier}"


def parse_order(text: str, where: str) -> tuple[TargetName, ...]:
    """Read an order such as ``aws:us-east-1,aws:us-west-2,google``.

    `where` names the variable, key or argument that it stands in, for the message of the
    `ConfigError` that a wrong one raises.
    """
    order = tuple(_parse_target(part.strip(), text, where) for part in text.split(","))
    twice = next((target for target in order if order.count(target) > 1), None)
    if twice is not None:
        raise ConfigError(f"{where} names {str(twice)!r} twice in {text!r}; name each target once")
    return order


def parse_target(text: str, where: str) -> TargetName:
    """Read the name of one target."""
    return _parse_target(text.strip(), text, where)


def _parse_target(part: str, text: str, where: str) -> TargetName:
    match = re.fullmatch(_TARGET, part)
    if match is None:
        problem = f"has an empty entry in {text!r}" if not part else f"cannot read {part!r}"
        raise ConfigError(
            f"{where} {problem}; write provider or provider:qualifier, separated by commas, "
            "such as 'local' or 'local:a,local:b'"
        )
    provider = match["provider"].lower()
    return TargetName(ALIASES.get(provider, provider), match["qualifier"])
