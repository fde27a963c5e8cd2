"""What each cloud answers over one wire, and the options that lead a target there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from leeward.calls import Call, Delete, Enqueue, Invoke, Key, ListItems, Load, Publish, Scan, Store
from leeward.errors import Outcome
from leeward.values import Event
from leeward_azure.tables.documents import document_of
from tests.azure.sources import KEY
from tests.servers.answering import Answer, Executed

AT: Final = Key(("id",), ("42",))
STORE: Final = Store("orders", AT, {"id": "42", "total": 9}, "w-1", now=0.0)
LIST: Final = ListItems("orders", ("customer", "order"), "c1")
CALLS: Final[Mapping[str, Call]] = {
    "invoke": Invoke("send", b'{"order":"42"}', "key-1"),
    "enqueue": Enqueue("send", b'{"order":"42"}', "key-1"),
    "publish": Publish("default", (Event("order.created", {"id": "42"}, "id-1", "/shop"),)),
    "store": STORE,
    "store if absent": STORE._replace(if_absent=True),
    "load": Load("orders", AT),
    "delete": Delete("orders", AT, now=0.0),
    "scan": Scan("orders"),
    "list_items": LIST,
}
JSON: Final = (("Content-Type", "application/json; charset=UTF-8"),)
MSI, METADATA = "/msi/token", "/computeMetadata/v1/"
MOMENT: Final = "2026-01-01T00:00:00.123456Z"
ID_TOKEN: Final = b"eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln"
"""A JWT without a signature that counts; its `exp` is in 2100."""


def answer_as_aws(executed: Executed) -> Answer:
    """Answer as AWS does, for each operation."""
    headers = {name.lower(): value for name, value in executed.headers}
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    if headers.get("x-amz-invocation-type") == "Event":
        return Answer(202, (), b"        ")
    bodies: dict[str, object] = {
        "": {"sent": True},
        "PutEvents": {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]},
        "GetItem": {"Item": {"id": {"S": "42"}}},
        "Scan": {"Items": [], "Count": 0, "ScannedCount": 0},
        "Query": {"Items": [], "Count": 0, "ScannedCount": 0},
    }
    return Answer(200, (), json.dumps(bodies.get(operation, {})).encode())


def answer_as_azure(executed: Executed) -> Answer:
    """Answer as Azure does, for each operation; its endpoint of identities, too."""
    ids = (("x-ms-activity-id", "request-1"), ("x-ms-request-id", "request-1"))
    etag = '"0600b5e2-0000-0000-0000-56686c3f0000"'
    document = document_of(STORE) | {"_etag": etag, "_rid": "r", "_ts": 0}
    if ("x-ms-documentdb-isquery", "True") in executed.headers:
        return Answer(200, ids, b'{"Documents": []}')
    path, at = executed.target.partition("?")[0], "/dbs/shop/colls/orders/docs"
    token = {"access_token": "token", "expires_on": str(int(time.time()) + 3600)}
    answers = {
        ("GET", MSI): Answer(200, JSON, json.dumps(token).encode()),
        ("POST", "/api/send"): Answer(200, ids, b'{"sent": true}'),
        ("POST", "/shop/send/messages"): Answer(
            201, ids, b"<QueueMessagesList></QueueMessagesList>"
        ),
        ("POST", "/default/api/events"): Answer(200, ids, b"{}"),
        ("POST", at): Answer(201, ids, json.dumps(document).encode()),
        ("GET", at): Answer(200, ids, b'{"Documents": []}'),
        ("GET", f"{at}/{document['id']}"): Answer(200, ids, json.dumps(document).encode()),
        ("DELETE", f"{at}/{document['id']}"): Answer(204, ids),
    }
    return answers[executed.method, path]


def answer_as_google(executed: Executed) -> Answer:
    """Answer as Google does, for each operation; its metadata server, too."""
    if executed.target.startswith(METADATA):
        flavor = ("Metadata-Flavor", "Google")
        token = {"access_token": "token", "expires_in": 3600, "token_type": "Bearer"}
        if executed.target.partition("?")[0].endswith("/identity"):
            return Answer(200, (flavor,), ID_TOKEN)
        return Answer(200, (flavor, *JSON), json.dumps(token).encode())
    name = "projects/shop-1/databases/(default)/documents/orders/42"
    document = {"name": name, "fields": {"id": {"stringValue": "42"}}}
    found = document | {"createTime": MOMENT, "updateTime": MOMENT}
    count = {"aggregateFields": {"count": {"integerValue": "0"}}}
    bodies: dict[str, object] = {
        "publish": {"messageIds": ["1"]},
        "commit": {"writeResults": [{"updateTime": MOMENT}], "commitTime": MOMENT},
        "batchGet": [{"found": found, "readTime": MOMENT}],
        "runAggregationQuery": [{"result": count, "readTime": MOMENT}],
        "runQuery": [{"document": found, "readTime": MOMENT}],
        "": {"sent": True},
    }
    operation = executed.target.partition(":")[2].partition("?")[0]
    return Answer(200, JSON, json.dumps(bodies[operation]).encode())


class Wire(NamedTuple):
    """One cloud at one address.

    Attributes:
        answer: what it answers.
        whole: the verb that goes through all faults.
        options, env: of a target there; ``{url}`` stands for the address.
        keys, key_env: the credentials that are at hand.
        metadata: options and environment where the platform gives tokens instead.
        asked: the path of those tokens, and how many a program with one call of each verb asks for.
        vendors: packages that no call may load.
        redirect: the outcome of a call whose answer is a redirect, where it is another one.
        listing: the call that lists items, as one request.
    """

    answer: Callable[[Executed], Answer]
    whole: str
    options: Mapping[str, str]
    env: Mapping[str, str]
    keys: Mapping[str, str]
    key_env: Mapping[str, str]
    metadata: tuple[Mapping[str, str], Mapping[str, str]] | None
    asked: tuple[str, int]
    vendors: frozenset[str]
    redirect: Outcome | None = None
    listing: ListItems = LIST

    def call(self, verb: str) -> Call:
        """Return the call of a verb."""
        return self.listing if verb == "list_items" else CALLS[verb]


WIRES: Final = {
    "aws:us-east-1": Wire(
        answer_as_aws,
        "store",
        {},
        {"AWS_ENDPOINT_URL": "{url}"},
        {},
        {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"},
        None,
        ("", 0),
        frozenset({"boto3", "botocore", "s3transfer", "urllib3", "requests"}),
    ),
    "azure:west": Wire(
        answer_as_azure,
        "publish",
        {
            "function_url": "{url}",
            "eventgrid_topic_url": "{url}/{{topic}}/api/events",
            "cosmos_endpoint": "{url}",
            "cosmos_database": "shop",
        },
        {},
        {
            "function_key": "key",
            "storage_connection_string": (
                f"AccountName=shop;AccountKey={KEY};QueueEndpoint={{url}}/shop"
            ),
            "eventgrid_key": KEY,
            "cosmos_key": KEY,
        },
        {},
        (
            {"function_scope": "api://shop/.default", "storage_queue_url": "{url}/shop"},
            {"IDENTITY_ENDPOINT": f"{{url}}{MSI}", "IDENTITY_HEADER": "word"},
        ),
        (MSI, 4),
        frozenset({"azure", "msal", "msal_extensions", "requests", "urllib3", "aiohttp", "jwt"}),
        Outcome.APP_ERROR,  # a refusal of this request alone stays, whoever gives it
    ),
    "google": Wire(
        answer_as_google,
        "invoke",
        {
            "project": "shop-1",
            "function_url": "{url}/{{name}}",
            "pubsub_endpoint": "{url}",
            "firestore_endpoint": "{url}",
        },
        {},
        {"access_token": "access", "id_token": "identity"},
        {},
        ({}, {"GCE_METADATA_HOST": "{address}"}),
        (METADATA, 2),
        frozenset(
            {"google", "googleapiclient", "grpc", "requests", "urllib3", "proto", "cryptography"}
        ),
        Outcome.APP_ERROR,
        LIST._replace(cursor="=a"),  # without one, a look at the order goes first
    ),
}


def placed(values: Mapping[str, str], url: str) -> dict[str, str]:
    """Return options, or an environment, that lead to a server."""
    address = url.partition("://")[2]
    return {name: value.format(url=url, address=address) for name, value in values.items()}
