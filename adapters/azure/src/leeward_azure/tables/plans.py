"""Cosmos DB for NoSQL: store, load, delete and scan single items, and list a partition, over REST.

How a container must be made for a table, and what a document looks like, stands in `documents`.

Reads are as strong as the account's default consistency. With `Session`, the usual one, and
anything stronger, a client reads what it has written.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

from leeward.adapter.classification import CONTENTION_REASON
from leeward.adapter.plans import Learn, Plan, Planner, Step, View, planners_of
from leeward.adapter.service import (
    UNDECODABLE,
    UNEXPECTED,
    ServiceAnswer,
    ambiguous,
    misread,
    object_of,
)
from leeward.adapter.tables import EXPIRED, Revision, another_revision, wrong_cursor
from leeward.adapter.wire import Response
from leeward.calls import Delete, ListItems, Load, Page, Result, Scan, Store, Stored, UnreadableItem
from leeward.errors import Outcome
from leeward.json_text import Undecodable, decode_apart
from leeward_azure.errors import ABSENT
from leeward_azure.settings.services import Tables
from leeward_azure.tables.containers import (
    COSMOS,
    Container,
    ask_container,
    container_of,
    to_create,
    to_delete,
    to_page,
    to_query,
    to_read,
    to_replace,
    unless_made_anew,
)
from leeward_azure.tables.documents import (
    DEEPEST,
    Location,
    etag_of,
    location_of,
    revision_of,
    stored_of,
)
from leeward_azure.tables.lists import DISORDER, Position, is_in_order, query_of, read_position


def tables(configured: Tables) -> dict[str, Planner]:
    """Return the planners of ``store``, ``load``, ``delete``, ``scan`` and ``list_items``."""
    return planners_of(
        configured, store=store, load=load, delete=delete, scan=scan, list_items=list_items
    )


def store(configured: Tables, call: Store, view: View) -> Plan:
    """Replace an item; the value is its new revision.

    A conflict with an item that bears this very write id is the echo of an earlier attempt whose
    answer was lost: it is OK.
    """
    container = container_of(configured.origin, configured.database, call.table)
    if call.if_revision is not None:
        return (yield from _replace(container, call, call.if_revision, view))
    if call.if_absent:
        return (yield from _create(container, call, view))
    answer = yield from ask_container(container, to_create(container, call, upsert=True), view)
    return answer.refusal or _conclude_store(answer.response, call)


def load(configured: Tables, call: Load, view: View) -> Plan:
    """Read an item, expired or not, with everything that this client has written before."""
    container = container_of(configured.origin, configured.database, call.table)
    location = location_of(call.key)
    answer = yield from ask_container(container, to_read(container, location, view), view)
    if _is_absent(answer):
        return _ok(None, answer.response)
    if answer.refusal is not None:
        return (yield from unless_made_anew(container, answer.refusal, view))
    row = _read_document(answer.response, location, exact=call.exact)
    return row if isinstance(row, Result) else _ok(row, answer.response)


def delete(configured: Tables, call: Delete, view: View) -> Plan:
    """Delete an item, there or not, unless a revision is asked for."""
    container = container_of(configured.origin, configured.database, call.table)
    revision = None
    if call.if_revision is not None:
        revision = revision_of(call.if_revision)
        if revision is None or not revision.holds_at(call.now):
            return another_revision()
    request = to_delete(container, location_of(call.key), revision and revision.mark)
    answer = yield from ask_container(container, request, view)
    if _is_absent(answer):
        absent = _ok(None, answer.response)
        return absent if revision is None else another_revision(absent.request_id)
    return COSMOS.read_answer(answer, status=204)


def scan(configured: Tables, call: Scan, view: View) -> Plan:
    """Read one page; its cursor is the continuation that Cosmos DB gives.

    Raises:
        InvalidRequest: the cursor was not given by a page; before anything is sent.
    """
    container = container_of(configured.origin, configured.database, call.table)
    cursor = call.cursor
    if cursor is not None and not (cursor and cursor.isascii() and cursor.isprintable()):
        raise wrong_cursor()
    answer = yield from ask_container(container, to_page(container, cursor, call.most, view), view)
    if answer.refusal is not None:
        return (yield from unless_made_anew(container, answer.refusal, view))

    def read(response: Response) -> Page:
        items = _read_page(response, exact=call.exact)
        return Page(tuple(items), _continuation(response) or None)

    return COSMOS.read_answer(answer, read)


def list_items(configured: Tables, call: ListItems, view: View) -> Plan:
    """Read one page of a partition, in the order of the attribute of the sort field.

    Its cursor is the sort value of the last document and, of a page without any, what Cosmos DB
    gives for the next one. `lists` says how texts are compared.

    Raises:
        InvalidRequest: the cursor was not given by a page; before anything is sent.
    """
    container = container_of(configured.origin, configured.database, call.table)
    position = Position() if call.cursor is None else read_position(call.cursor)
    page = to_page(container, position.continuation or None, call.limit, view)
    request = to_query(page, call.partition, query_of(call, position.last))
    answer = yield from ask_container(container, request, view)
    if answer.refusal is not None:
        return (yield from unless_made_anew(container, answer.refusal, view))
    try:
        items = _read_page(answer.response)
    except (Undecodable, UnreadableItem) as error:
        return misread(answer.response, error, request_id=COSMOS.request_id)
    values = [str(item.item.get(call.fields[1])) for item in items]
    if not is_in_order(values, position.last, descending=call.descending):
        return DISORDER
    held = tuple(item for item, value in zip(items, values, strict=True) if call.holds(value))
    rest = _continuation(answer.response)
    after = Position(values[-1]) if values else position._replace(continuation=rest)
    return _ok(Page(held, after.text() if rest else None), answer.response)


def _read_page(response: Response, *, exact: bool = False) -> list[Stored]:
    """Read an answer with a list of documents; raise what those raise that read one."""
    read = partial(_stored_in, exact=exact)
    document = decode_apart(response.body, "Documents", read, deepest=DEEPEST)
    documents = document.get("Documents") if isinstance(document, dict) else None
    if response.status != 200 or not isinstance(documents, list):
        raise Undecodable("the answer has no list of documents")
    return documents


def _continuation(response: Response) -> str:
    return response.headers.get("x-ms-continuation") or ""


def _replace(container: Container, call: Store, if_revision: str, view: View) -> Plan:
    """Store an item where the one of `if_revision` is."""
    revision = revision_of(if_revision)
    if revision is None or not revision.holds_at(call.now):
        return another_revision()
    return (yield from _replace_this(container, call, revision, view))


def _create(container: Container, call: Store, view: View) -> Plan:
    """Store an item where none is, or an expired one.

    An expired one is seldom there: Cosmos DB hides it, unless the container's time to live is off
    or the clocks differ. So a plan looks for one only where one was met before.
    """
    if container.expired in view.learnt:
        stored = yield from _look(container, call, view)
        if isinstance(stored, Stored):
            # Store an item where `stored` is, if that has expired.
            if stored.write_id == call.write_id:
                return Result.ok(stored.revision)
            revision = revision_of(stored.revision)
            if revision is None or revision.holds_at(call.now):
                return Result(Outcome.CONFLICT, message="an item is there")
            return (yield from _replace_this(container, call, revision, view))
        if stored is None:
            yield Learn(container.expired, None)
        elif stored.outcome is not Outcome.UNUSABLE:  # else something is there, and in the way
            return stored
    answer = yield from ask_container(container, to_create(container, call, upsert=False), view)
    refusal = answer.refusal
    if refusal is not None and refusal.outcome is Outcome.CONFLICT:
        return (yield from _judge_conflict(container, call, refusal, view))
    return refusal or _conclude_store(answer.response, call)


def _replace_this(container: Container, call: Store, revision: Revision, view: View) -> Plan:
    request = to_replace(container, call, revision.mark)
    answer = yield from ask_container(container, request, view)
    refusal = answer.refusal
    if refusal is None:
        return _conclude_store(answer.response, call)
    if _is_absent(answer):
        return _reject(refusal) if call.if_absent else another_revision(refusal.request_id)
    if refusal.outcome is Outcome.CONFLICT:
        return (yield from _judge_conflict(container, call, refusal, view))
    return refusal


def _judge_conflict(container: Container, call: Store, refusal: Result[Any], view: View) -> Plan:
    """Look what a write has met with, to say how it ends.

    Nothing was written by this attempt, whatever the look gives; without one, it is worth another.
    """
    stored = yield from _look(container, call, view)
    if isinstance(stored, Result):
        again = stored.outcome in (Outcome.LOCAL, Outcome.NOT_SENT, Outcome.REJECTED)
        return stored._replace(outcome=Outcome.REJECTED) if again else refusal
    if stored is not None and stored.write_id == call.write_id:
        return Result.ok(stored.revision, request_id=refusal.request_id)
    if not call.if_absent:
        return refusal
    if stored is None:
        return _reject(refusal)  # a read that does not see it is not believed
    if stored.expires_at is not None and stored.expires_at <= call.now:
        yield Learn(container.expired, True)
        return refusal._replace(outcome=Outcome.REJECTED, reason=EXPIRED, retry_after=0.0)
    return refusal


def _look(
    container: Container, call: Store, view: View
) -> Generator[Step, Any, Stored | Result[Any] | None]:
    """Read the item that is there; a result, and never AMBIGUOUS, if that cannot be known."""
    location = location_of(call.key)
    request = to_read(container, location, view)
    answer = (yield from ask_container(container, request, view, effect=False)).as_look_up()
    if _is_absent(answer):
        return None
    if answer.refusal is not None:
        return (yield from unless_made_anew(container, answer.refusal, view))
    stored = _read_document(answer.response, location)
    if isinstance(stored, Result) and stored.outcome is Outcome.AMBIGUOUS:
        return stored._replace(outcome=Outcome.NOT_SENT, executed=None)
    return stored


def _read_document(
    response: Response, location: Location, *, exact: bool = False
) -> Stored | Result[Any]:
    """Read the answer to a read: the document at `location`, or something that cannot be read."""
    try:
        native = object_of(response, DEEPEST)
        if response.status != 200 or native.get("id") != location.id:
            raise Undecodable("the answer is not the document that was asked for")
        return stored_of(native, exact=exact)
    except (Undecodable, UnreadableItem) as error:
        return misread(response, error, request_id=COSMOS.request_id)


def _stored_in(native: Any, *, exact: bool) -> Stored:
    if not isinstance(native, dict):
        raise Undecodable("a document of the answer is not an object")
    return stored_of(native, exact=exact)


def _conclude_store(response: Response, call: Store) -> Result[Any]:
    """Accept a success only if Cosmos DB says which revision came of it."""
    if response.status not in (200, 201):
        return ambiguous(response, UNEXPECTED, request_id=COSMOS.request_id)
    try:
        if response.body:
            etag = etag_of(object_of(response, DEEPEST))
        else:
            etag = etag_of(response.headers, "etag")
    except Undecodable as error:
        return ambiguous(response, UNDECODABLE, error, request_id=COSMOS.request_id)
    return _ok(Revision.after(call, etag), response)


def _ok(value: Any, response: Response) -> Result[Any]:
    return Result.ok(value, request_id=response.headers.get(COSMOS.request_id))


def _is_absent(answer: ServiceAnswer) -> bool:
    return answer.refusal is not None and answer.refusal.reason == ABSENT


def _reject(refusal: Result[Any]) -> Result[Any]:
    """Return the result of a write that met something which is gone, or not to be seen yet."""
    return refusal._replace(outcome=Outcome.REJECTED, reason=CONTENTION_REASON)
