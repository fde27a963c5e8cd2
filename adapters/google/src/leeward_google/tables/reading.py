"""What Firestore answers, read with distrust.

A page of a proxy is not a receipt, and does not prove that an item is absent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from leeward.adapter.service import UNDECODABLE, UNREADABLE, ambiguous, misread, object_of
from leeward.adapter.tables import revision_after
from leeward.adapter.wire import Response
from leeward.calls import Delete, Page, Result, Store, Stored, UnreadableItem
from leeward.errors import Outcome
from leeward.json_text import Undecodable
from leeward_google.errors import find_error
from leeward_google.service import elements_of, read_refusal
from leeward_google.tables.documents import (
    DEEPEST,
    Native,
    stored_of,
    update_time_of,
)

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
    natives = _documents(response, now, name)
    if isinstance(natives, Result):
        return natives
    try:
        return stored_of(natives[0], exact=exact) if natives else None
    except (Undecodable, UnreadableItem) as error:
        return misread(response, error)


def page_in(response: Response, most: int, now: float, *, exact: bool = False) -> Result[Page]:
    """Read the answer to `runQuery`; the cursor is the id of the last document of a full page.

    Args:
        response: a success.
        most: the documents that were asked for.
        now: Unix seconds.
        exact: as for `leeward.adapter.items.decode`.
    """
    natives = _documents(response, now)
    if isinstance(natives, Result):
        return natives
    try:
        items = tuple(stored_of(native, exact=exact) for native in natives)
        last = _last(natives[-1].get("name")) if len(natives) >= most else None
    except (Undecodable, UnreadableItem) as error:
        return misread(response, error)
    return Result.ok(Page(items, last))


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
        return Result.ok(revision_after(call, update_time_of(results[0])))
    except Undecodable as error:
        return ambiguous(response, UNDECODABLE, error)


def is_unreadable(look: Result[Any]) -> bool:
    """Return whether an item is there that leeward cannot read."""
    return look.outcome is Outcome.UNUSABLE and look.reason == UNREADABLE


def _documents(
    response: Response, now: float, wanted: str | None = None
) -> list[Native] | Result[Any]:
    """Return the documents of a streamed answer; with `wanted`, the one of that id, or none.

    A stream may end in an error after it has begun well.
    """
    try:
        elements = elements_of(response, DEEPEST)
        told = find_error(elements)
        if told is not None:
            return read_refusal(response, told, now)
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
