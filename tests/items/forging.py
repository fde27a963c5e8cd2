"""Documents with a type tree that leeward did not write, and a digest that fits it."""

from typing import Any

from leeward._items.decoding import _Reader
from leeward._items.encoding import digest
from leeward.adapter.items import Profile
from tests.items.values import native_of


def forged(native: dict[str, Any], types: str | None, profile: Profile) -> dict[str, Any]:
    """Put a type tree beside native attributes, as anyone may who can write the document."""
    attributes = {name: value for name, value in native.items() if name != "_leeward"}
    _, spelling = _Reader(profile).read(attributes, profile.typed_json, top=True)
    ours = {"w": "w-1", "d": digest(spelling, types)} | ({} if types is None else {"t": types})
    return attributes | {"_leeward": native_of(ours, profile)}
