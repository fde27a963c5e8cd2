"""Firestore over REST: documents that are written and read in batches, and read by query.

Source: the REST reference of Firestore.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final

from tests.servers.answering import Answer
from tests.servers.google.api import Asked, GoogleApi, Route
from tests.servers.google.firestore_queries import documents_of
from tests.servers.google.firestore_store import Store
from tests.servers.google.messages import answered, read_body, streamed
from tests.servers.google.refused import Refused, refuse_fields
from tests.servers.google.tokens import CLOUD_PLATFORM

REQUEST_BYTES: Final = 10 * 1024 * 1024

MOST_WRITES: Final = 500
"""Of one `batchWrite`."""

GRPC: Final = {
    "INVALID_ARGUMENT": 3,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
}
"""The number of each status word that a single write is refused with. Source: google.rpc.Code."""

DEFAULT: Final = "(default)"
"""The id of a project's first database."""

_ROOT: Final = r"/v1/projects/(?P<project>[^/]+)/databases/(?P<database>[^/]+)/documents"
_PARENT: Final = f"{_ROOT}(?P<parent>(?:/[^/]+/[^/]+)*)"


class Firestore(GoogleApi):
    """The databases of one project.

    What Google does and this does not: transactions, methods for single documents, parts of
    documents, listening, transforming, composite indexes, aggregates but for a count, and the
    deletion of what has expired. A query is by one collection, in the order of names or of one
    field of bytes. What is not known is refused.

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
            Route("POST", f"{_ROOT}:batchWrite", self._batch_write),
            Route("POST", f"{_ROOT}:batchGet", self._batch_get, streams=True),
            Route("POST", f"{_PARENT}:runQuery", self._run_query, streams=True),
            Route("POST", f"{_PARENT}:runAggregationQuery", self._count, streams=True),
        ]

    def _now(self) -> float:
        return self.clock()

    def _commit(self, asked: Asked) -> Answer:
        store = self._store(asked)
        request = self._body(self._types.CommitRequest, asked)
        refuse_fields(request, "transaction")
        times, moment = store.commit(request.writes)
        response = self._types.CommitResponse.pb()()
        response.commit_time.CopyFrom(moment)
        for each in times:
            result = response.write_results.add()
            if each is not None:
                result.update_time.CopyFrom(each)
        return answered(response, asked.query)

    def _batch_write(self, asked: Asked) -> Answer:
        store = self._store(asked)
        request = self._body(self._types.BatchWriteRequest, asked)
        refuse_fields(request, "labels")
        names = [each.update.name or each.delete for each in request.writes]
        if len(set(names)) != len(names) or not 0 < len(names) <= MOST_WRITES:
            raise Refused("INVALID_ARGUMENT", "Documents can be written once per request.")
        response = self._types.BatchWriteResponse.pb()()
        for each in request.writes:
            result, status = response.write_results.add(), response.status.add()
            try:
                (time,), _ = store.commit([each])
            except Refused as refused:
                status.code = GRPC[refused.status]
            else:
                if time is not None:
                    result.update_time.CopyFrom(time)
        return answered(response, asked.query)

    def _batch_get(self, asked: Asked) -> Answer:
        store = self._store(asked)
        request = self._body(self._types.BatchGetDocumentsRequest, asked)
        refuse_fields(request, "transaction", "new_transaction", "mask", "read_time")
        answers = []
        moment = store.now()
        # Google promises no order, and gives a document once.
        for name in sorted(set(request.documents)):
            response = self._types.BatchGetDocumentsResponse.pb()()
            response.read_time.CopyFrom(moment)
            found = store.read(name)
            if found is None:
                response.missing = name
            else:
                response.found.CopyFrom(found)
            answers.append(response)
        return streamed(answers, asked.query)

    def _run_query(self, asked: Asked) -> Answer:
        store = self._store(asked)
        request = self._body(self._types.RunQueryRequest, asked)
        refuse_fields(request, "transaction", "new_transaction", "read_time")
        query = request.structured_query
        found = documents_of(store, self._parent(store, asked), query)
        return streamed(self._query_answers(store, found), asked.query)

    def _count(self, asked: Asked) -> Answer:
        """Answer how many documents a query gives."""
        store = self._store(asked)
        request = self._body(self._types.RunAggregationQueryRequest, asked)
        refuse_fields(request, "transaction", "new_transaction", "explain_options")
        aggregation = request.structured_aggregation_query
        if [each.WhichOneof("operator") for each in aggregation.aggregations] != ["count"]:
            raise Refused("UNIMPLEMENTED", "This stub knows one count only.")
        moment = request.read_time if request.HasField("read_time") else store.now()
        query = aggregation.structured_query
        found = documents_of(store, self._parent(store, asked), query, moment)
        response = self._types.RunAggregationQueryResponse.pb()()
        response.read_time.CopyFrom(moment)
        alias = aggregation.aggregations[0].alias
        response.result.aggregate_fields[alias].integer_value = len(found)
        return streamed([response], asked.query)

    def _parent(self, store: Store, asked: Asked) -> str:
        return store.prefix.removesuffix("/") + asked.names["parent"]

    def _query_answers(self, store: Store, found: Sequence[Any]) -> list[Any]:
        answers = []
        moment = store.now()
        for each in found or [None]:
            response = self._types.RunQueryResponse.pb()()
            response.read_time.CopyFrom(moment)
            if each is not None:
                response.document.CopyFrom(each)
            answers.append(response)
        return answers

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
