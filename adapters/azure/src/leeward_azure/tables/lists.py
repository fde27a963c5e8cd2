"""Lists of a partition as queries of Cosmos DB.

Cosmos DB documents no order of texts, and Microsoft's clients disagree: those for .NET, Java and
JavaScript compare by UTF-16, those for Python and Rust by code points. The orders differ where a
character beyond U+FFFF meets one from U+E000 on. So a bound is sent up to its first character from
U+D800 on, and the rest is looked at here; a page out of order shows that it goes by UTF-16.

Source: `OrderByComparator` in @azure/cosmos, `_ItemComparer` in azure-cosmos.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from leeward import json_text
from leeward.adapter.items import escape_name
from leeward.adapter.tables import wrong_cursor
from leeward.calls import ListItems, Result
from leeward.errors import Outcome
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.text import text_behind
from leeward_azure.tables.documents import COSMOS

_DISPUTED: Final = re.compile("[\ud800-\U0010ffff]")


@show_only()
class Position(NamedTuple):
    """Where a list stands.

    Attributes:
        last: the sort value of the last document that came; empty before the first.
        continuation: of a page without documents; empty for no continuation.
    """

    last: str = ""
    continuation: str = ""

    def text(self) -> str:
        """Return the cursor of a page."""
        return json.dumps([self.last, self.continuation])


def read_position(cursor: str) -> Position:
    """Read what `Position.text` returned.

    Raises:
        InvalidRequest: it did not.
    """
    try:
        last, continuation = json_text.decode(cursor)
        if continuation.isascii() and continuation.isprintable() and type(last) is str:
            return Position(last, continuation)
    except (ValueError, TypeError, AttributeError):
        pass
    raise wrong_cursor()


def query_of(call: ListItems, last: str) -> dict[str, Any]:
    """Return the query of a list, behind the sort value `last` in the service's own order."""
    partition, sort = (
        f"c[{json.dumps(escape_name(field, COSMOS, top=True))}]" for field in call.fields
    )
    bounds = {
        "=": (partition, call.partition),
        ">=": (sort, _lower_bound(call.low)),
        "<": (sort, _upper_bound(call.high)),
        "< " if call.descending else ">": (sort, last),
    }
    used = [(sign, *bound) for sign, bound in bounds.items() if bound[1]]
    conditions = [f"{field} {sign} @p{n}" for n, (sign, field, _) in enumerate(used)]
    where = " AND ".join([f"IS_STRING({sort})", *conditions])
    direction = "DESC" if call.descending else "ASC"
    return {
        "query": f"SELECT * FROM c WHERE {where} ORDER BY {sort} {direction}",  # noqa: S608
        "parameters": [{"name": f"@p{n}", "value": value} for n, (_, _, value) in enumerate(used)],
    }


def is_in_order(values: Sequence[str], last: str, *, descending: bool) -> bool:
    """Return whether sort values, behind the last of the page before, are in leeward's order."""
    pairs = pairwise([last, *values] if last else values)
    return all(one != other and (one > other) is descending for one, other in pairs)


DISORDER: Final = Result[Any](
    Outcome.UNUSABLE,
    reason="disorder",
    message="Cosmos DB compares texts by their UTF-16, and the sort values have characters beyond "
    "U+FFFF and others from U+E000 on, so this list would be out of order; do without one kind",
)


def _lower_bound(low: str) -> str:
    """Return a text that is in no order greater than any which is at least `low`."""
    return _DISPUTED.split(low, maxsplit=1)[0]


def _upper_bound(high: str | None) -> str:
    """Return a text that is in both orders greater than all less than `high`; empty if none is."""
    before = _lower_bound(high or "")
    return before if before == high else text_behind(before) or ""
