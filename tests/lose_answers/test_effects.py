"""Requests as they go over the wire, and what they may do."""

from __future__ import annotations

import json

import pytest

from leeward_contract_tests.rows import each_row
from leeward_lose_answers.effects import Effect, Marks, RequestReader, effect_of
from leeward_lose_answers.postgres import Transaction


def effect(text: str, body: bytes = b"", marks: Marks | None = None) -> Effect | None:
    """Return what a request does that is written as its lines."""
    lines = [*text.split("\n"), f"Content-Length: {len(body)}", "", ""]
    (request,) = RequestReader().feed("\r\n".join(lines).encode() + body)
    return effect_of(request, marks or Marks())


POST = "POST /charges HTTP/1.1\nHost: bank.example:8080"
AWS = "POST / HTTP/1.1\nX-Amz-Target: "


def test_requests_are_read_however_they_are_cut() -> None:
    """Bytes one by one, bodies by length and in chunks, several requests on a connection."""
    sent = (
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
        b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: 1\r\n\r\n"
        b"GET /c HTTP/1.1\r\n\r\n"
    )
    reader = RequestReader()
    requests = [request for at in range(len(sent)) for request in reader.feed(sent[at : at + 1])]
    shown = [(request.method, request.target, request.body) for request in requests]
    assert shown == [("POST", "/a", b"abc"), ("POST", "/b", b"abc"), ("GET", "/c", b"")]
    assert RequestReader().feed(sent) == requests


def test_other_protocols_are_left_alone() -> None:
    """HTTP/2, TLS and Redis are no HTTP/1."""
    for beginning in (b"PRI * HTTP/2.0\r\n\r\n", b"\x16\x03\x01", b"*1\r\n$4\r\nPING\r\n"):
        reader = RequestReader()
        assert reader.feed(beginning) == []
        assert reader.is_opaque


@each_row(
    "length",
    {
        "no number": b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nx",
        "below zero": b"Transfer-Encoding: chunked\r\n\r\n-5\r\nx",
        "too many digits": b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    },
)
def test_lengths_that_are_wrong_stay_the_clients_affair(length: bytes) -> None:
    """The connection is read no further; who sends gets no error."""
    reader = RequestReader()
    assert reader.feed(b"POST / HTTP/1.1\r\n" + length) == []
    assert reader.is_opaque
    assert reader.feed(b"x") == []


@each_row(
    "line, title",
    {
        "a query": ("POST /a?token=s", "POST bank/a"),
        "a bot": ("POST /bot123:AAEhBOweik6ad9r_QXMENQ/send", "POST bank/bot123:…/send"),
        "a webhook": ("POST /services/T0/XXx4567890123456789abcd", "POST bank/services/T0/…"),
        "by a proxy": ("POST http://user:word@bank/a", "POST bank/a"),
    },
)
def test_titles_hold_no_secrets(line: str, title: str) -> None:
    """Neither a query, nor a token in a path, nor who is logged in."""
    seen = effect(f"{line} HTTP/1.1\nHost: bank")
    assert seen
    assert seen.title == title


@each_row(
    "statement, title",
    {
        "values": ("INSERT INTO t VALUES ('it''s', 5)", "INSERT INTO t VALUES (?, ?)"),
        "a backslash": ("INSERT INTO t VALUES ('a\\'), ('b')", "INSERT INTO t VALUES (?)"),
        "dollars": ("DO $a$ secret $a$", "DO ?"),
        "parameters": ("INSERT INTO t1 VALUES ($1)", "INSERT INTO t1 VALUES ($1)"),
    },
)
def test_titles_hold_no_values(statement: str, title: str) -> None:
    """Of a statement, what is data is left out."""
    transaction = Transaction()
    assert transaction.take(b"Q", statement.encode() + b"\0")
    assert transaction.to_effect().title == title


@each_row(
    "target, title",
    {
        "/bucket?delete": "s3 DeleteObjects",
        "/bucket/key?uploads": "s3 CreateMultipartUpload",
        "/bucket/key?uploadId=2~a": "s3 CompleteMultipartUpload",
        "/bucket/key?versionId=1&restore": "s3 RestoreObject",
        "/bucket/key?select&select-type=2": "",
    }.items(),
)
def test_operations_of_s3_may_be_repeated(target: str, title: str) -> None:
    """They are named by a field of the address; none has an effect twice."""
    signed = "Authorization: AWS4-HMAC-SHA256 Credential=a/20261202/x/s3/aws4_request, b"
    seen = effect(f"POST {target} HTTP/1.1\nHost: s3.test\n{signed}")
    assert (seen.title if seen else "") == title
    assert seen is None or seen.is_idempotent


@each_row(
    "text, body, marks, is_effect",
    {
        "POST": (POST, b"5", Marks(), True),
        "GET": ("GET / HTTP/1.1", b"", Marks(), False),
        "a read of DynamoDB": (f"{AWS}DynamoDB_20120810.GetItem", b"{}", Marks(), False),
        "a write": (f"{AWS}DynamoDB_20120810.UpdateItem", b"{}", Marks(), True),
        "a query of GraphQL": (POST, b'{"query": "query { a }"}', Marks(), False),
        "a mutation": (POST, b'{"query": "mutation { a }"}', Marks(), True),
        "a log-in": (POST, b"grant_type=client_credentials", Marks(), False),
        "a search": ("POST /index/_search HTTP/1.1", b"{}", Marks(), False),
        "marked as a read": (POST, b"5", Marks(reads=["POST */charges"]), False),
    },
)
def test_reads_have_no_effect(text: str, body: bytes, marks: Marks, is_effect: bool) -> None:
    """A read is known by its method, its action, or a mark."""
    assert (effect(text, body, marks) is not None) == is_effect


@each_row(
    "first, second",
    {
        "ids": (b'{"id": "0b5bd9d3-8f3c-4c9e-9a3f-4f8f0b7c3d11"}',
                b'{"id": "5b5bd9d3-8f3c-4c9e-9a3f-4f8f0b7c3d99"}'),
        "dates": (b"at=2026-01-31T12:00:00Z", b"at=2026-02-01T13:30:00+01:00"),
        "Unix times": (b'{"at": 1790000000.25}', b'{"at": 1790000009}'),
        "keys": (b'{"idempotency_key": "k-1", "n": 5}', b'{"idempotency_key": "k-2", "n": 5}'),
    },
)  # fmt: skip
def test_what_changes_with_each_attempt_does_not_count(first: bytes, second: bytes) -> None:
    """Two bodies are the same effect."""
    one, two = effect(POST, first), effect(POST.replace("8080", "8081"), second)
    assert one
    assert two
    assert one.fingerprint == two.fingerprint


def test_what_differs_is_another_effect() -> None:
    """Amounts, paths and methods count."""
    texts = [(POST, b"5"), (POST, b"6"), (POST.replace("/charges", "/orders"), b"5")]
    fingerprints = {each.fingerprint for text, body in texts if (each := effect(text, body))}
    assert len(fingerprints) == len(texts)


@each_row(
    "text, body, key, is_idempotent",
    {
        "nothing": (POST, b"{}", "", False),
        "a header": (f"{POST}\nIdempotency-Key: 7", b"", "idempotency-key: 7", False),
        "a condition": (f"{POST}\nIf-None-Match: *", b"", "if-none-match: *", False),
        "a token": (POST, json.dumps({"ClientToken": "7"}).encode(), "ClientToken: 7", False),
        "PUT": ("PUT / HTTP/1.1", b"{}", "", True),
        "a delete of AWS": (f"{AWS}AmazonSQS.DeleteMessage", b"{}", "", True),
    },
)
def test_a_repeat_may_be_harmless(text: str, body: bytes, key: str, is_idempotent: bool) -> None:
    """By a key, or by what it is."""
    seen = effect(text, body)
    assert seen
    assert (seen.key, seen.is_idempotent) == (key, is_idempotent)


def test_marks_of_users_decide() -> None:
    """What is harmless may be an effect each time, and the other way round."""
    repeatable = effect(POST, b"", Marks(repeatable=["POST bank*"]))
    double = effect("PUT / HTTP/1.1\nHost: bank", b"", Marks(doubles=["PUT *"]))
    assert repeatable
    assert double
    assert repeatable.is_idempotent
    assert not double.is_idempotent


@pytest.mark.parametrize(
    ("statements", "key", "is_idempotent"),
    [
        (["INSERT INTO t VALUES (1)"], False, False),
        (["UPDATE t SET n = n + 1"], False, False),
        (["UPDATE t SET n = 1 WHERE id = 2"], True, True),
        (["DELETE FROM t"], True, True),
        (["INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING"], True, False),
        (["INSERT INTO t VALUES (1) ON CONFLICT (i) DO UPDATE SET n = t.n + 1"], False, False),
        (["DELETE FROM t", "INSERT INTO t VALUES (1)"], False, False),
    ],
)
def test_transactions(statements: list[str], key: bool, is_idempotent: bool) -> None:
    """The answer that counts ends the transaction; reads and what was rolled back do not count."""
    transaction = Transaction()
    assert not transaction.take(b"Q", b"BEGIN; SELECT 1\0")
    transaction.end(b"T")
    for statement in statements:
        assert not transaction.take(b"Q", statement.encode() + b"\0")
        transaction.end(b"T")
    assert transaction.take(b"Q", b"COMMIT\0")
    seen = transaction.to_effect()
    assert (bool(seen.key), seen.is_idempotent) == (key, is_idempotent)
    transaction.end(b"I")
    assert not transaction.take(b"Q", b"SELECT 1\0")
    transaction.end(b"I")
    assert transaction.take(b"Q", statements[0].encode() + b"\0")
