"""Firestore over REST: documents that are read and written by themselves, in batches, by query.

Source: the REST reference of Firestore.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final

from tests.servers.answering import Answer
from tests.servers.google.api import Asked, GoogleApi, Route
from tests.servers.google.firestore_store import Store, parsed
from tests.servers.google.firestore_values import check_id
from tests.servers.google.messages import answered, read_body, read_query, streamed
from tests.servers.google.refused import Refused
from tests.servers.google.tokens import CLOUD_PLATFORM

REQUEST_BYTES: Final = 10 * 1024 * 1024

DEFAULT: Final = "(default)"
"""The id of a project's first database."""

_PAGE: Final = 100
"""Documents in a list, unless another number is asked for."""

_ROOT: Final = r"/v1/projects/(?P<project>[^/]+)/databases/(?P<database>[^/]+)/documents"
_PARENT: Final = f"{_ROOT}(?P<parent>(?:/[^/]+/[^/]+)*)"
_DOCUMENT: Final = f"{_ROOT}/(?P<path>[^/]+/[^/]+(?:/[^/]+/[^/]+)*)"
_COLLECTION: Final = f"{_PARENT}/(?P<collection>[^/]+)"


class Firestore(GoogleApi):
    """The databases of one project.

    What Google does and this does not: it listens, transforms, indexes, aggregates, and deletes
    what has expired. A query is by one collection and in the order of names.

    Args:
        project: the one that exists.
        databases: their ids.
        clock: Unix seconds.

    Attributes:
        stores: the databases, by id; may change at any time.
    """

    SERVICE = "firestore.googleapis.com"
    SCOPES = frozenset({CLOUD_PLATFORM, "https://www.googleapis.com/auth/datastore"})

    def __init__(
        self,
        project: str,
        databases: Sequence[str] = (DEFAULT,),
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(project, clock)
        self._types = import_module("google.cloud.firestore_v1.types")
        self.stores: dict[str, Store] = {}
        for each in databases:
            self.add_database(each)

    def add_database(self, database: str) -> Store:
        """Make a database."""
        name = f"projects/{self.project}/databases/{database}"
        self.stores[database] = Store(name, self._now)
        return self.stores[database]

    def _routes(self) -> Sequence[Route]:
        return [
            Route("POST", f"{_ROOT}:commit", self._commit),
            Route("POST", f"{_ROOT}:batchGet", self._batch_get, streams=True),
            Route("POST", f"{_ROOT}:beginTransaction", self._begin),
            Route("POST", f"{_ROOT}:rollback", self._rollback),
            Route("POST", f"{_PARENT}:runQuery", self._run_query, streams=True),
            Route("GET", _DOCUMENT, self._get),
            Route("PATCH", _DOCUMENT, self._patch),
            Route("DELETE", _DOCUMENT, self._delete),
            Route("GET", _COLLECTION, self._list),
            Route("POST", _COLLECTION, self._create),
        ]

    def _now(self) -> float:
        return self.clock()

    def _commit(self, asked: Asked) -> Answer:
        store = self._store(asked)
        request = self._body(self._types.CommitRequest, asked)
        times, moment = store.commit(request.writes, request.transaction)
        response = self._types.CommitResponse.pb()()
        response.commit_time.CopyFrom(moment)
        for each in times:
            result = response.write_results.add()
            if each is not None:
                result.update_time.CopyFrom(each)
        return answered(response, asked.query)

    def _batch_get(self, asked: Asked) -> Answer:
        store = self._store(asked)
        request = self._body(self._types.BatchGetDocumentsRequest, asked)
        transaction = request.transaction
        answers = []
        if request.HasField("new_transaction"):
            transaction = store.begin()
            answers.append(self._types.BatchGetDocumentsResponse.pb()(transaction=transaction))
        moment = store.now()
        # Google promises no order, and gives a document once.
        for name in sorted(set(request.documents)):
            response = self._types.BatchGetDocumentsResponse.pb()()
            response.read_time.CopyFrom(moment)
            found = store.read(name, transaction)
            if found is None:
                response.missing = name
            else:
                response.found.CopyFrom(self._masked(found, request))
            answers.append(response)
        return streamed(answers, asked.query)

    def _begin(self, asked: Asked) -> Answer:
        store = self._store(asked)
        self._body(self._types.BeginTransactionRequest, asked)
        response = self._types.BeginTransactionResponse(transaction=store.begin())
        return answered(response, asked.query)

    def _rollback(self, asked: Asked) -> Answer:
        store = self._store(asked)
        store.forget(self._body(self._types.RollbackRequest, asked).transaction)
        return _nothing()

    def _run_query(self, asked: Asked) -> Answer:
        store = self._store(asked)
        request = self._body(self._types.RunQueryRequest, asked)
        query = request.structured_query
        _check_query(query)
        (source,) = query.from_
        parent = store.prefix.removesuffix("/") + asked.names["parent"]
        found = [
            each
            for each in store.collection(parent, source.collection_id)
            if _is_within(each.name, query)
        ]
        found = found[query.offset :]
        if query.HasField("limit"):
            found = found[: query.limit.value]
        return streamed(self._query_answers(store, found, query), asked.query)

    def _query_answers(self, store: Store, found: Sequence[Any], query: Any) -> list[Any]:
        answers = []
        moment = store.now()
        for each in found or [None]:
            response = self._types.RunQueryResponse.pb()()
            response.read_time.CopyFrom(moment)
            if each is not None:
                response.document.CopyFrom(self._selected(each, query))
            answers.append(response)
        return answers

    def _get(self, asked: Asked) -> Answer:
        store = self._store(asked)
        request = self._query(self._types.GetDocumentRequest, asked)
        name = store.prefix + asked.names["path"]
        found = store.read(name, request.transaction)
        if found is None:
            raise Refused("NOT_FOUND", f'Document "{name}" not found.')
        return answered(self._masked(found, request), asked.query)

    def _patch(self, asked: Asked) -> Answer:
        store = self._store(asked)
        request = self._query(self._types.UpdateDocumentRequest, asked)
        write = self._types.Write.pb()()
        write.update.CopyFrom(self._body(self._types.Document, asked))
        write.update.name = store.prefix + asked.names["path"]
        if request.HasField("update_mask"):
            write.update_mask.CopyFrom(request.update_mask)
        write.current_document.CopyFrom(request.current_document)
        return self._written(store, write, request, asked)

    def _create(self, asked: Asked) -> Answer:
        store = self._store(asked)
        request = self._query(self._types.CreateDocumentRequest, asked)
        if not request.document_id:
            raise Refused("UNIMPLEMENTED", "This stub chooses no id for a document.")
        check_id(request.document_id)
        parent = store.prefix.removesuffix("/") + asked.names["parent"]
        write = self._types.Write.pb()()
        write.update.CopyFrom(self._body(self._types.Document, asked))
        write.update.name = f"{parent}/{asked.names['collection']}/{request.document_id}"
        write.current_document.exists = False
        return self._written(store, write, request, asked)

    def _written(self, store: Store, write: Any, request: Any, asked: Asked) -> Answer:
        store.commit([write])
        found = store.read(write.update.name)
        return answered(self._masked(found, request), asked.query)

    def _delete(self, asked: Asked) -> Answer:
        store = self._store(asked)
        request = self._query(self._types.DeleteDocumentRequest, asked)
        write = self._types.Write.pb()(delete=store.prefix + asked.names["path"])
        write.current_document.CopyFrom(request.current_document)
        store.commit([write])
        return _nothing()

    def _list(self, asked: Asked) -> Answer:
        store = self._store(asked)
        request = self._query(self._types.ListDocumentsRequest, asked)
        if request.order_by not in {"", "__name__"}:
            raise Refused("UNIMPLEMENTED", "This stub knows the order of names only.")
        parent = store.prefix.removesuffix("/") + asked.names["parent"]
        found = store.collection(parent, asked.names["collection"])
        rest = [each for each in found if each.name > request.page_token]
        size = request.page_size or _PAGE
        response = self._types.ListDocumentsResponse.pb()()
        for each in rest[:size]:
            response.documents.append(self._masked(each, request))
        if len(rest) > size:
            response.next_page_token = rest[size - 1].name
        return answered(response, asked.query)

    def _store(self, asked: Asked) -> Store:
        database = asked.names["database"]
        if database not in self.stores:
            raise Refused(
                "NOT_FOUND",
                f"The database {database} does not exist for project {self.project}.",
            )
        if len(asked.body) > REQUEST_BYTES:
            raise Refused("INVALID_ARGUMENT", "Request payload size exceeds the limit: 10485760.")
        return self.stores[database]

    def _body(self, kind: Any, asked: Asked) -> Any:
        return kind.pb(read_body(kind, asked.body))

    def _query(self, kind: Any, asked: Asked) -> Any:
        return kind.pb(read_query(kind, asked.query))

    def _masked(self, document: Any, request: Any) -> Any:
        """Give a document with the fields that were asked for."""
        if not request.HasField("mask"):
            return document
        return self._only(document, {parsed(each)[0] for each in request.mask.field_paths})

    def _selected(self, document: Any, query: Any) -> Any:
        """Give a document with the fields that a query selects."""
        if not query.HasField("select"):
            return document
        return self._only(document, {parsed(each.field_path)[0] for each in query.select.fields})

    def _only(self, document: Any, names: set[str]) -> Any:
        found = self._types.Document.pb()()
        found.CopyFrom(document)
        for name in set(found.fields) - names:
            del found.fields[name]
        return found


def _check_query(query: Any) -> None:
    """Refuse what this stub does not know."""
    sources = query.from_
    orders = [(each.field.field_path, each.direction) for each in query.order_by]
    # 0 stands for ascending where nothing is said, 1 for ascending.
    if len(sources) != 1 or sources[0].all_descendants or query.HasField("where"):
        raise Refused("UNIMPLEMENTED", "This stub knows queries by one collection only.")
    if orders not in ([], [("__name__", 0)], [("__name__", 1)]):
        raise Refused("UNIMPLEMENTED", "This stub knows the order of names only.")
    if query.limit.value < 0 or query.offset < 0:
        raise Refused("INVALID_ARGUMENT", "limit and offset may not be negative.")
    if (query.HasField("start_at") or query.HasField("end_at")) and not orders:
        raise Refused("INVALID_ARGUMENT", "A cursor has too many values.")


def _is_within(name: str, query: Any) -> bool:
    """Tell whether a document lies between the query's cursors."""
    if query.HasField("start_at"):
        start = _place(query.start_at)
        if name < start or (name == start and not query.start_at.before):
            return False
    if query.HasField("end_at"):
        end = _place(query.end_at)
        return name < end or (name == end and not query.end_at.before)
    return True


def _place(cursor: Any) -> str:
    if len(cursor.values) != 1 or not cursor.values[0].reference_value:
        raise Refused("INVALID_ARGUMENT", "The cursor of a name must be a reference.")
    place: str = cursor.values[0].reference_value
    return place


def _nothing() -> Answer:
    return Answer(200, (("Content-Type", "application/json; charset=UTF-8"),), b"{}")
