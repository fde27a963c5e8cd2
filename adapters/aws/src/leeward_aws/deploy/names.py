"""Names of a template: logical ids, and what AWS calls the functions of an app."""

from __future__ import annotations

import re

from leeward.adapter.packages import Wish
from leeward.app.kit import Handler


def own_name(wish: Wish, handler: Handler) -> str:
    """Return the name of a handler's function: that by which clients call it.

    They may know it by an ARN, and by one of its versions or aliases.
    """
    known = wish.declared.functions.get(handler.name, handler.name)
    return known.rpartition(":function:")[2].partition(":")[0]


def bus_id(bus: str) -> str:
    """Return the logical id of a bus."""
    return f"{logical(bus)}Bus"


def logical(name: str) -> str:
    """Return the logical id of something: letters and digits."""
    words = re.split(r"[^A-Za-z0-9]+", name)
    return "".join(word[:1].upper() + word[1:] for word in words)
