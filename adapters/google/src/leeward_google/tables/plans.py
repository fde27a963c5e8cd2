"""Firestore: store, load, delete, scan and list items, and store many at once, over REST.

How a table's items become documents stands in `documents`.

Reads are strong. Where a collection has a time to live on the field ``_leeward_expires``, Firestore
collects expired items, usually within a day; until then they are there, and in the way of a write
that is to go where none is. A plan looks for one first where one may be: where the new item is
to expire as well, or an expired one was met before. Else it finds out by the conflict, and the
next attempt looks first.

Every request is a POST and says in its body what it is about: a missing document is not an
error, and ``NOT_FOUND`` is the database that is not there. But so is a document
that an update time is expected of; which of the two it was, a look tells.

Source: the REST reference of Firestore: `documents.commit`, `.batchGet`, `.runQuery`,
`.runAggregationQuery` and `.batchWrite`; `google.rpc.Code`.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any, Final

from leeward import json_text
from leeward.adapter.classification import AMBIGUOUS, CONTENTION_REASON
from leeward.adapter.plans import STALE_CREDENTIALS, Learn, Plan, Planner, Step, View, planners_of
from leeward.adapter.service import (
    JSON,
    UNDECODABLE,
    Service,
    ServiceExchange,
    ambiguous,
    object_of,
)
from leeward.adapter.tables import EXPIRED, Revision, another_revision, wrong_cursor
from leeward.adapter.wire import Request
from leeward.calls import Delete, Key, ListItems, Load, Page, Result, Scan, Store, Stored, StoreMany
from leeward.errors import Outcome, Unsupported
from leeward.json_text import Undecodable
from leeward.records import NamedTuple
from leeward_google.errors import FAILED_PRECONDITION, STATUSES
from leeward_google.service import EMULATOR, GOOGLE
from leeward_google.settings.services import Tables
from leeward_google.tables.documents import (
    check_collection,
    fields_of,
    id_of,
    revision_of,
    update_time_of,
)
from leeward_google.tables.lists import (
    MOST_UNORDERED,
    TOO_MANY,
    Position,
    by_field,
    by_names,
    counting,
    key_of,
    read_position,
)
from leeward_google.tables.reading import (
    PAGE_ITEMS,
    LookResult,
    documents_in,
    is_unreadable,
    ordered_page_in,
    page_in,
    read_count,
    read_found,
    read_seen,
    read_write,
)


class FirestoreEndpoint(NamedTuple):
    """Where the tables of one target are.

    Attributes:
        origin: ``https://firestore.googleapis.com``; of an emulator, ``http://127.0.0.1:8080``.
        project: its id.
        database: its id.
        emulator: whether `origin` is that of an emulator, for which no credential is fetched.
    """

    origin: str
    project: str
    database: str = "(default)"
    emulator: bool = False

    @property
    def service(self) -> Service:
        """Return how it is asked."""
        return EMULATOR if self.emulator else GOOGLE

    @property
    def documents(self) -> str:
        """Return the name under which all documents are."""
        return f"projects/{self.project}/databases/{self.database}/documents"

    def request(self, method: str, body: dict[str, Any]) -> Request:
        """Return the request that asks for `method`."""
        target = f"/v1/{self.documents}:{method}"
        return Request("POST", self.origin, target, JSON, json_text.encode(body))


def endpoint_of(settings: Tables, project: str) -> FirestoreEndpoint:
    """Return where the tables of a project are."""
    return FirestoreEndpoint(settings.origin, project, settings.database, settings.emulator)


def tables(settings: Tables, project: str) -> dict[str, Planner]:
    """Return the planners of ``store``, ``load``, ``delete``, ``scan`` and ``list_items``.

    They raise `InvalidRequest` for a table whose name no collection can have, before anything is
    sent.
    """
    endpoint = endpoint_of(settings, project)
    return planners_of(
        endpoint, store=store, load=load, delete=delete, scan=scan, list_items=list_items
    )


def store(endpoint: FirestoreEndpoint, call: Store, view: View) -> Plan:
    """Replace an item; the value is its new revision.

    A conflict with an item that bears this very write id is the echo of an earlier attempt whose
    answer was lost: it is OK.
    """
    write: dict[str, Any] = {
        "update": {"name": name_of(endpoint, call.table, call.key), "fields": fields_of(call)}
    }
    if call.if_absent:
        return (yield from _store_if_absent(endpoint, call, write, view))
    if call.if_revision is not None:
        condition = _condition(call.if_revision, call.now)
        return (yield from _write_if(endpoint, call, write, condition, view))
    response, refusal = yield from _commit(endpoint, write, view)
    return refusal or read_write(response, call)


def load(endpoint: FirestoreEndpoint, call: Load, view: View) -> Plan:
    """Read an item, expired or not, with everything that was written before."""
    response, refusal = yield from endpoint.service.exchange(
        _get(endpoint, call.table, call.key), view
    )
    seen = refusal or read_seen(response, id_of(call.key), view.now, exact=call.exact)
    return seen if isinstance(seen, Result) else Result.ok(seen)


def delete(endpoint: FirestoreEndpoint, call: Delete, view: View) -> Plan:
    """Delete an item, there or not, unless a revision is asked for."""
    write: dict[str, Any] = {"delete": name_of(endpoint, call.table, call.key)}
    if call.if_revision is not None:
        condition = _condition(call.if_revision, call.now)
        return (yield from _write_if(endpoint, call, write, condition, view))
    response, refusal = yield from _commit(endpoint, write, view)
    return refusal or read_write(response, call)


def scan(endpoint: FirestoreEndpoint, call: Scan, view: View) -> Plan:
    """Read one page, in the order of ids; its cursor is the id of its last document.

    Raises:
        InvalidRequest: the cursor was not given by a page; before anything is sent.
    """
    check_collection(call.table)
    query: dict[str, Any] = {
        "from": [{"collectionId": call.table}],
        "orderBy": [{"field": {"fieldPath": "__name__"}, "direction": "ASCENDING"}],
        "limit": call.most or PAGE_ITEMS,
    }
    if call.cursor is not None:
        if not call.cursor or "/" in call.cursor:
            raise wrong_cursor()
        last = f"{endpoint.documents}/{call.table}/{call.cursor}"
        query["startAt"] = {"values": [{"referenceValue": last}], "before": False}
    request = endpoint.request("runQuery", {"structuredQuery": query})
    response, refusal = yield from endpoint.service.exchange(request, view)
    return refusal or page_in(response, call.most or PAGE_ITEMS, view.now, exact=call.exact)


def list_items(endpoint: FirestoreEndpoint, call: ListItems, view: View) -> Plan:
    """Read one page of a partition; its cursor says by what, and the last sort value.

    Raises:
        InvalidRequest: the cursor was not given by a page; before anything is sent.
    """
    check_collection(call.table)
    if call.cursor is None:
        rest = call
        is_complete = yield from _has_order(endpoint, call, view)
        if isinstance(is_complete, Result):
            return is_complete
    else:
        position = read_position(call.cursor)
        rest, is_complete = call.following(position.last), not position.by_names
    rest = rest._replace(limit=min(rest.limit, PAGE_ITEMS))
    if not is_complete:
        return (yield from _list_by_names(endpoint, rest, view))
    request = endpoint.request("runQuery", {"structuredQuery": by_field(rest, rest.limit)})
    response, refusal = yield from endpoint.service.exchange(request, view)
    return refusal or ordered_page_in(response, rest, view.now)


def _has_order(
    endpoint: FirestoreEndpoint, call: ListItems, view: View
) -> Generator[Step, Any, bool | Result[Any]]:
    """Return whether every document of a partition has what keeps its order."""
    collection = f"{endpoint.documents}/{call.table}"
    whole = call._replace(low="", above=False, high=None)
    counts: list[int] = []
    read_time = None
    for query in (by_names(whole, collection), by_field(whole)):
        request = endpoint.request("runAggregationQuery", counting(query, read_time))
        response, refusal = yield from endpoint.service.exchange(request, view, effect=False)
        count = refusal or read_count(response, view.now)
        if isinstance(count, Result):
            return _as_look(count)
        counts.append(count.number)
        read_time = count.read_time
    return counts[0] == counts[1]


def _list_by_names(endpoint: FirestoreEndpoint, call: ListItems, view: View) -> Plan:
    """Read one page of a partition whose keys have to be put in order here."""
    query = by_names(call, f"{endpoint.documents}/{call.table}", MOST_UNORDERED + 1)
    request = endpoint.request("runQuery", {"structuredQuery": query})
    response, refusal = yield from endpoint.service.exchange(request, view, effect=False)
    natives = refusal or documents_in(response, view.now)
    if isinstance(natives, Result):
        return _as_look(natives)
    if len(natives) > MOST_UNORDERED:
        return TOO_MANY
    keys = [key_of(native, call.fields) for native in natives]
    values = sorted(
        (key[1] for key in keys if key and key[0] == call.partition and call.holds(key[1])),
        reverse=call.descending,
    )
    page = values[: call.limit]
    if not page:
        return Result.ok(Page(()))
    names = [name_of(endpoint, call.table, Key(call.fields, (call.partition, v))) for v in page]
    request = endpoint.request("batchGet", {"documents": names})
    response, refusal = yield from endpoint.service.exchange(request, view)
    items = refusal or read_found(response, names, view.now)
    if isinstance(items, Result):
        return items
    more = len(values) > len(page)
    return Result.ok(Page(items, Position(page[-1], by_names=True).text() if more else None))


def _as_look(result: Result[Any]) -> Result[Any]:
    """Return the result of a plan whose look has ended so: nothing has been done by that."""
    if result.outcome is Outcome.AMBIGUOUS:
        return result._replace(outcome=Outcome.NOT_SENT, executed=None)
    return result


def _store_if_absent(
    endpoint: FirestoreEndpoint, call: Store, write: dict[str, Any], view: View
) -> Plan:
    """Store an item where none is, or an expired one."""
    condition: dict[str, Any] = {"exists": False}
    if call.expires_at is not None or _expired_in(endpoint, call.table) in view.learnt:
        stored = yield from _look(endpoint, call, view)
        if isinstance(stored, Result):
            return _conflict(_THERE) if is_unreadable(stored) else stored
        if stored is not None and stored.write_id == call.write_id:
            return Result.ok(stored.revision)
        if stored is not None and not _is_over(stored, call.now):
            return _conflict(_THERE)
        if stored is not None:
            condition = {"updateTime": Revision.mark_in(stored.revision)}
    return (yield from _write_if(endpoint, call, write, condition, view))


def _condition(if_revision: str, now: float) -> dict[str, Any] | None:
    """Return the precondition of `if_revision`; None if it is known not to hold."""
    revision = revision_of(if_revision)
    if revision is None or not revision.holds_at(now):
        return None
    return {"updateTime": revision.mark}


def _write_if(
    endpoint: FirestoreEndpoint,
    call: Store | Delete,
    write: dict[str, Any],
    condition: dict[str, Any] | None,
    view: View,
) -> Plan:
    """Write under a condition, and look what was in the way if it did not hold."""
    if condition is None:
        return another_revision()
    response, refusal = yield from _commit(endpoint, write | {"currentDocument": condition}, view)
    if refusal is None:
        return read_write(response, call)
    if not (
        refusal.outcome in (Outcome.CONFLICT, Outcome.NOT_FOUND)
        or refusal.reason == FAILED_PRECONDITION
    ):
        return refusal
    stored = yield from _look(endpoint, call, view)
    if isinstance(stored, Stored) and _is_over(stored, call.now):
        yield Learn(_expired_in(endpoint, call.table), True)
    # How a write ends whose condition did not hold, by what is there now.
    # Nothing was written by this attempt, whatever is there.
    creates = isinstance(call, Store) and call.if_absent
    conflict = (_conflict(_THERE) if creates else another_revision())._replace(
        code=refusal.code, request_id=refusal.request_id
    )
    if isinstance(stored, Result):
        # `conflict`, unless the look after it has failed in a way that says more.
        if stored.outcome in (Outcome.LOCAL, Outcome.NOT_SENT, Outcome.REJECTED):
            return stored._replace(outcome=Outcome.REJECTED)  # not known, and worth another attempt
        explains = stored.outcome in (Outcome.NOT_FOUND, Outcome.UNUSABLE) and not is_unreadable(
            stored
        )
        return stored if explains or stored.reason == STALE_CREDENTIALS else conflict
    if isinstance(call, Store) and stored is not None and stored.write_id == call.write_id:
        return Result.ok(stored.revision)
    if creates and stored is None:
        return refusal._replace(outcome=Outcome.REJECTED, reason=CONTENTION_REASON)
    if creates and stored is not None and _is_over(stored, call.now):
        return refusal._replace(outcome=Outcome.REJECTED, reason=EXPIRED, retry_after=0.0)
    return conflict


def _look(
    endpoint: FirestoreEndpoint, call: Store | Delete, view: View
) -> Generator[Step, Any, LookResult]:
    """Read the item that is there; a result if that cannot be known.

    By a look nothing has been done, whatever became of it: what would be AMBIGUOUS is NOT_SENT.
    """
    request = _get(endpoint, call.table, call.key)
    response, refusal = yield from endpoint.service.exchange(request, view, effect=False)
    seen = refusal or read_seen(response, id_of(call.key), view.now)
    return _as_look(seen) if isinstance(seen, Result) else seen


def _commit(endpoint: FirestoreEndpoint, write: dict[str, Any], view: View) -> ServiceExchange:
    return endpoint.service.exchange(endpoint.request("commit", {"writes": [write]}), view)


def _get(endpoint: FirestoreEndpoint, table: str, key: Key) -> Request:
    return endpoint.request("batchGet", {"documents": [name_of(endpoint, table, key)]})


def name_of(endpoint: FirestoreEndpoint, table: str, key: Key) -> str:
    """Return the name of the document of a key.

    Raises:
        InvalidRequest: no collection can have the name of the table.
    """
    check_collection(table)
    return f"{endpoint.documents}/{table}/{id_of(key)}"


def _expired_in(endpoint: FirestoreEndpoint, table: str) -> str:
    """Return the name under which is learnt that a table had an expired item in the way."""
    return f"expired:{endpoint.documents}/{table}"


def _is_over(stored: Stored, now: float) -> bool:
    return stored.expires_at is not None and stored.expires_at <= now


_THERE: Final = "an item is there"


def _conflict(message: str) -> Result[Any]:
    return Result(Outcome.CONFLICT, message=message)


_CODES: Final = tuple(
    """
    OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS
    PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED
    INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED
    """.split()
)
"""Status words, by the number under which a batch tells them."""


def batches(settings: Tables, project: str) -> dict[str, Planner]:
    """Return the planner of ``store_many``."""
    return {"store_many": partial(store_many, endpoint_of(settings, project))}


def store_many(endpoint: FirestoreEndpoint, call: StoreMany, view: View) -> Plan:
    """Store items where none is, or replace what is there; the value of each is its new revision.

    An expired item in the way is a conflict here. Storing that one by itself tells it from others.

    Raises:
        Unsupported: one of them is to replace a revision; before anything is sent.
    """
    if any(call.if_revision is not None for call in call.calls):
        raise Unsupported("a batch of Firestore's looks at no revision")
    writes = [_write(endpoint, call) for call in call.calls]
    request = endpoint.request("batchWrite", {"writes": writes})
    response, refusal = yield from endpoint.service.exchange(request, view)
    if refusal is not None:
        return refusal
    try:
        document = object_of(response)
        results = zip(call.calls, document["writeResults"], document["status"], strict=True)
        return Result.ok([_result(*triple) for triple in results])
    except (Undecodable, KeyError, TypeError, ValueError, AttributeError) as error:
        return ambiguous(response, UNDECODABLE, error)


def _write(endpoint: FirestoreEndpoint, call: Store) -> dict[str, Any]:
    name = name_of(endpoint, call.table, call.key)
    write: dict[str, Any] = {"update": {"name": name, "fields": fields_of(call)}}
    return write | {"currentDocument": {"exists": False}} if call.if_absent else write


def _result(call: Store, written: dict[str, Any], status: dict[str, Any]) -> Result[Any]:
    code = status.get("code", 0)
    if code == 0:
        return Result.ok(Revision.after(call, update_time_of(written)))
    word = _CODES[code] if type(code) is int and 0 < code < len(_CODES) else ""
    meaning = STATUSES.get(word, AMBIGUOUS)
    return Result(meaning.outcome, code=word or None, reason=meaning.reason)
