"""What Firestore answers, read with distrust.

A page of a proxy is not a receipt, and does not prove that an item is absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from leeward.adapter.service import UNDECODABLE, UNREADABLE, ambiguous, misread, object_of
from leeward.adapter.tables import Revision
from leeward.adapter.wire import Response
from leeward.calls import Delete, ListItems, Page, Result, Store, Stored, UnreadableItem
from leeward.errors import Outcome
from leeward.json_text import Undecodable
from leeward.records import NamedTuple
from leeward_google.errors import find_error
from leeward_google.service import elements_of, read_refusal
from leeward_google.tables.documents import DEEPEST, Native, stored_of, update_time_of
from leeward_google.tables.lists import Position, key_of, sort_value_of

PAGE_ITEMS: Final = 10
"""Items of a page, at most. Firestore does not end a page by its bytes, and 10 documents of 1 MiB,
its largest, are what an answer may hold."""

LookResult: TypeAlias = Stored | Result[Any] | None
"""An item, none, or why that cannot be known."""


def read_seen(response: Response, name: str, now: float, *, exact: bool = False) -> LookResult:
    """Read the answer to `batchGet` of one document.

    Args:
        response: a success.
        name: the document's id; an answer about another one is not believed.
        now: Unix seconds.
        exact: as for `leeward.adapter.items.decode`.
    """
    natives = documents_in(response, now, name)
    if isinstance(natives, Result):
        return natives
    try:
        return stored_of(natives[0], exact=exact) if natives else None
    except (Undecodable, UnreadableItem) as error:
        return misread(response, error)


def page_in(response: Response, size: int, now: float, *, exact: bool = False) -> Result[Page]:
    """Read the answer to `runQuery`; the cursor is the id of the last document of a full page.

    Args:
        response: a success.
        size: the documents that were asked for.
        now: Unix seconds.
        exact: as for `leeward.adapter.items.decode`.
    """
    natives = documents_in(response, now)
    if isinstance(natives, Result):
        return natives
    try:
        items = tuple(stored_of(native, exact=exact) for native in natives)
        last = _last(natives[-1].get("name")) if len(natives) >= size else None
    except (Undecodable, UnreadableItem) as error:
        return misread(response, error)
    return Result.ok(Page(items, last))


def ordered_page_in(response: Response, call: ListItems, now: float) -> Result[Page]:
    """Read the answer to `runQuery` of a part of a partition, in order.

    A copy that another program has made under another key is left out.

    Args:
        response: a success.
        call: what was asked for; a page of so many documents is not the last one.
        now: Unix seconds.
    """
    natives = documents_in(response, now)
    if isinstance(natives, Result):
        return natives
    try:
        last = sort_value_of(natives[-1]) if len(natives) >= call.limit else None
        items = tuple(
            stored_of(native)
            for native in natives
            if key_of(native, call.fields) == (call.partition, sort_value_of(native))
        )
    except (Undecodable, UnreadableItem) as error:
        return misread(response, error)
    return Result.ok(Page(items, None if last is None else Position(last, by_names=False).text()))


class Count(NamedTuple):
    """How many documents there were.

    Attributes:
        number: of them.
        read_time: when; the same moment can be asked for again.
    """

    number: int
    read_time: str


def read_count(response: Response, now: float) -> Count | Result[Any]:
    """Read the answer to `runAggregationQuery`."""
    try:
        elements = elements_of(response)
        details = find_error(elements)
        if details is not None:
            return read_refusal(response, details, now)
        (element,) = (element for element in elements if "result" in element)
        number = element["result"]["aggregateFields"]["count"]["integerValue"]
        return Count(int(number), str(element["readTime"]))
    except (Undecodable, KeyError, TypeError, ValueError) as error:
        return ambiguous(response, UNDECODABLE, error)


def read_found(
    response: Response, names: Sequence[str], now: float
) -> tuple[Stored, ...] | Result[Any]:
    """Read the answer to `batchGet` of several documents; those that are gone are left out.

    Args:
        response: a success.
        names: of the documents, in the order in which they are returned.
        now: Unix seconds.
    """
    try:
        elements = elements_of(response, DEEPEST)
        details = find_error(elements)
        if details is not None:
            return read_refusal(response, details, now)
        natives = _objects(element["found"] for element in elements if "found" in element)
        by_name = {str(native.get("name")): native for native in natives}
        missing = {element["missing"] for element in elements if "missing" in element}
        if by_name.keys() | missing != set(names):
            raise Undecodable("the answer is not about the documents that were asked for")
    except (Undecodable, TypeError) as error:
        return ambiguous(response, UNDECODABLE, error)
    try:
        return tuple(stored_of(by_name[name]) for name in names if name in by_name)
    except (Undecodable, UnreadableItem) as error:
        return misread(response, error)


def read_write(response: Response, call: Store | Delete) -> Result[Any]:
    """Read the answer to `commit`; the value is the new revision of an item that was stored."""
    try:
        document = object_of(response)
        results = document.get("writeResults")
        if not isinstance(document.get("commitTime"), str) or not isinstance(results, list):
            raise Undecodable("the answer does not say when it was committed")
        if isinstance(call, Delete):
            return Result.ok(None)
        if len(results) != 1 or not isinstance(results[0], dict):
            raise Undecodable("the answer does not have one result for the one write")
        return Result.ok(Revision.after(call, update_time_of(results[0])))
    except Undecodable as error:
        return ambiguous(response, UNDECODABLE, error)


def is_unreadable(look: Result[Any]) -> bool:
    """Return whether an item is there that leeward cannot read."""
    return look.outcome is Outcome.UNUSABLE and look.reason == UNREADABLE


def documents_in(
    response: Response, now: float, wanted: str | None = None
) -> list[Native] | Result[Any]:
    """Return the documents of a streamed answer; with `wanted`, the one of that id, or none.

    A stream may end in an error after it has begun well.

    Args:
        response: a success.
        now: Unix seconds.
        wanted: the id of the one document that was asked for by its name.
    """
    try:
        elements = elements_of(response, DEEPEST)
        details = find_error(elements)
        if details is not None:
            return read_refusal(response, details, now)
        if wanted is None:
            return _objects(element["document"] for element in elements if "document" in element)
        natives = _objects(element["found"] for element in elements if "found" in element)
        names = [native.get("name") for native in natives]
        names += [element["missing"] for element in elements if "missing" in element]
        if [_last(name) for name in names] != [wanted]:
            raise Undecodable(
                "the answer is not about the document that was asked for, and no other"
            )
        return natives
    except Undecodable as error:
        return ambiguous(response, UNDECODABLE, error)


def _objects(natives: Iterable[Any]) -> list[Native]:
    objects = list(natives)
    if not all(isinstance(native, dict) for native in objects):
        raise Undecodable("a document of the answer is not an object")
    return objects


def _last(name: Any) -> str:
    if not isinstance(name, str):
        raise Undecodable("a document of the answer has no name")
    return name.rpartition("/")[2]
