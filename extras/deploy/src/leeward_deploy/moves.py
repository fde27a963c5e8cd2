"""``moved`` blocks for whoever exported before: each resource keeps what it holds.

Terraform itself says what would go and what would come: a plan of the new root over the old state.
What goes and what comes under one name is one thing at a new address.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from leeward.errors import ConfigError


class Moves(NamedTuple):
    """What a plan says of addresses.

    Attributes:
        text: ``moved`` blocks.
        moved: how many there are.
        left: addresses that go and that nothing takes the place of.
    """

    text: str
    moved: int
    left: tuple[str, ...]


def moves_in(plan: Mapping[str, Any], identity: Mapping[str, tuple[str, ...]]) -> Moves:
    """Return the moves from what a plan deletes to what it creates.

    Args:
        plan: as ``terraform show -json`` has it.
        identity: by type of resource, the arguments that say which one it is.

    Raises:
        ConfigError: it is not a plan.
    """
    if "resource_changes" not in plan:
        raise ConfigError(
            "this is not a plan; make it with terraform plan -out=plan.bin, and terraform show "
            "-json plan.bin"
        )
    gone: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    come: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for each in plan["resource_changes"]:
        actions, change = each["change"]["actions"], each["change"]
        if actions == ["delete"]:
            gone[_key(each["type"], change["before"], identity, each["address"])].append(
                each["address"]
            )
        elif actions == ["create"]:
            come[_key(each["type"], change["after"], identity, each["address"])].append(
                each["address"]
            )
    # Two of one name are not told apart, so they are left to the plan.
    pairs = {
        first[0]: come[key][0]
        for key, first in gone.items()
        if len(first) == 1 and len(come.get(key, ())) == 1
    }
    blocks = [
        f"moved {{\n  from = {first}\n  to   = {then}\n}}\n"
        for first, then in sorted(pairs.items())
    ]
    left = sorted(each for found in gone.values() for each in found if each not in pairs)
    return Moves("\n".join(blocks), len(blocks), tuple(left))


def _key(
    type: str, value: Mapping[str, Any], identity: Mapping[str, tuple[str, ...]], address: str
) -> tuple[Any, ...]:
    """Return what says which thing of a type it is; the address itself where nothing does."""
    found = [value.get(name) for name in identity.get(type, ())]
    if not found or None in found:
        return (type, address)
    return (type, value.get("region"), json.dumps(found))
