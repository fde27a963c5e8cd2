"""Lists of a partition as queries of Cosmos DB: their text, their bounds, and where they stand.

Cosmos DB documents no order of texts. Microsoft's clients disagree: those for .NET, Java and
JavaScript compare by UTF-16, those for Python and Rust by code points. The two orders differ where
a character beyond U+FFFF meets one from U+E000 to U+FFFF. So a bound is sent up to its first
character from U+D800 on, below which both agree; the rest of it is looked at here. A page that is
out of order shows that the service compares by UTF-16.

Source: `OrderByComparator` in @azure/cosmos, `_ItemComparer` in azure-cosmos.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from leeward import json_text
from leeward.adapter.items import escape_name
from leeward.calls import ListItems
from leeward.json_text import Undecodable
from leeward.masking import mask
from leeward.records import NamedTuple
from leeward_azure.tables.containers import Query
from leeward_azure.tables.documents import COSMOS

_DISPUTED: Final = re.compile("[\ud800-\U0010ffff]")
"""Characters before which texts may be in two orders."""


class Place(NamedTuple):
    """Where a list stands.

    Attributes:
        last: the sort value of the last document that came; empty before the first.
        continuation: of a page without documents; empty for none.
    """

    last: str = ""
    continuation: str = ""

    def __repr__(self) -> str:
        return mask(self)

    def text(self) -> str:
        """Return the cursor of a page."""
        return json.dumps([self.last, self.continuation])


def read_place(cursor: str) -> Place | None:
    """Read what `Place.text` returned; None if it did not."""
    try:
        parts = json_text.decode(cursor)
    except Undecodable:
        return None
    if not isinstance(parts, list) or len(parts) != 2 or set(map(type, parts)) != {str}:
        return None
    place = Place(*parts)
    plain = place.continuation.isascii() and place.continuation.isprintable()
    return place if plain else None


def query_of(call: ListItems, place: Place) -> Query:
    """Return the query of the next page."""
    partition, sort = (
        f"c[{json.dumps(escape_name(field, COSMOS, top=True))}]" for field in call.fields
    )
    parameters = {"@partition": call.partition}
    conditions = [f"{partition} = @partition", f"IS_STRING({sort})"]
    low, high = _cut(call.low), _cut_above(call.high)
    if low:
        parameters["@low"] = low
        conditions.append(f"{sort} >= @low")
    if high:
        parameters["@high"] = high
        conditions.append(f"{sort} < @high")
    if place.last:  # in the service's own order, whichever it is
        parameters["@last"] = place.last
        conditions.append(f"{sort} {'<' if call.descending else '>'} @last")
    direction = "DESC" if call.descending else "ASC"
    text = f"SELECT * FROM c WHERE {' AND '.join(conditions)} ORDER BY {sort} {direction}"  # noqa: S608
    return Query(text, parameters, place.continuation)


def is_in_order(values: Sequence[str], last: str, *, descending: bool) -> bool:
    """Return whether sort values, behind the last of the page before, are in leeward's order."""
    if descending:
        return all(one > other for one, other in pairwise([*([last] if last else []), *values]))
    return all(one < other for one, other in pairwise([last, *values]))


def _cut(low: str) -> str:
    """Return a text that is in no order greater than any which is at least `low`."""
    return _DISPUTED.split(low, maxsplit=1)[0]


def _cut_above(high: str | None) -> str:
    """Return a text that is in both orders greater than all less than `high`; empty for none."""
    before = "" if high is None else _cut(high)
    if before == high:
        return before
    if not before:
        return ""
    # The surrogates, behind U+D7FF, are no characters.
    return before[:-1] + chr(0xE000 if before[-1] == "\ud7ff" else ord(before[-1]) + 1)
