"""Session tokens of Cosmos DB: how a client reads what it has written.

With each answer comes how far the partition range that gave it had come: ``0:1#100#3=50`` is range
0, a version of its regions, a sequence number for all of them, and one for a region. A read that
bears what was seen before is answered from a replica that has come as far, or with 404/1002.

A container that is deleted and made again begins anew, so what was seen belongs to its resource
id, and is dropped with it.

Source: `VectorSessionToken` and `SessionContainer` in azure-cosmos. There, one parsing error ends
the session; here it costs that one token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from leeward.adapter.wire import Response
from leeward.values import NOTHING

LONGEST: Final = 8192
"""Bytes of all tokens in one header, the latest; gateways take 16 KB of headers. A token has some
30 bytes, and a container a range for each 50 GB or 10,000 request units a second."""

_OWNER: Final = re.compile(r"[A-Za-z0-9+/_-]{11}=")
"""A container's resource id: 8 bytes. That of a database is shorter, of a document longer."""
_PAIR: Final = re.compile(r"([0-9A-Za-z_-]{1,64}):([0-9#=-]{1,512})")
_TOKEN: Final = re.compile(r"(-?[0-9]{1,18})#(-?[0-9]{1,18})((?:#[0-9]{1,9}=-?[0-9]{1,18})*)")
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")


class Session(NamedTuple):
    """What a client has seen of one container.

    Attributes:
        owner: the container's resource id; None while no answer has told it.
        tokens: partition range to token; never changed in location.
    """

    owner: str | None = None
    tokens: Mapping[str, str] = NOTHING

    def join(self) -> str:
        """Return the tokens as one header's value; empty if there are none."""
        text = ",".join([f"{part}:{token}" for part, token in self.tokens.items()])
        return text if len(text) <= LONGEST else text[-LONGEST:].partition(",")[2]

    def after(self, response: Response) -> Session:
        """Return the session with what an answer tells; this very one if that is nothing new."""
        headers = response.headers
        path = headers.get("x-ms-content-path", "")
        owner = path if _OWNER.fullmatch(path) else self.owner
        told = _PAIR.findall(headers.get("x-ms-session-token", ""))
        before = self.tokens if self.owner in (None, owner) else NOTHING
        latest = {part: _later(before.get(part), token) for part, token in told}
        if owner == self.owner and all(before.get(part) == latest[part] for part in latest):
            return self
        kept = {part: token for part, token in before.items() if part not in latest}
        return Session(owner, kept | latest)


EMPTY: Final = Session()


def _later(one: str | None, other: str) -> str:
    """Merge two tokens of a range; an unreadable one gives way."""
    if one is None or one == other:
        return other
    if _NUMBER.fullmatch(one) and _NUMBER.fullmatch(other):
        return max(one, other, key=int)
    first, second = _parse(one), _parse(other)
    if first is None or second is None:
        return other if second or not first else one
    low, high = sorted((first, second), key=lambda each: (each.version, each.number))
    regions = {region: max(n, low.regions.get(region, n)) for region, n in high.regions.items()}
    if low.version == high.version:
        regions = {**low.regions, **regions}
    in_order = (f"{region}={regions[region]}" for region in sorted(regions, key=int))
    return "#".join([str(high.version), str(high.number), *in_order])


class _Token(NamedTuple):
    """One token, parted.

    A higher version is a change of the account's regions, after which the numbers may be lower.
    """

    version: int
    number: int
    regions: dict[str, int]


def _parse(text: str) -> _Token | None:
    found = _TOKEN.fullmatch(text)
    if found is None:
        return None
    pairs = (each.split("=") for each in found[3].split("#")[1:])
    return _Token(int(found[1]), int(found[2]), {name: int(number) for name, number in pairs})
