"""What looks like a proof, and is none: another call's, another library's, or a server's text."""

from __future__ import annotations

import json
import os
import pickle
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
import requests
import trustme
import urllib3
from botocore.config import Config  # type: ignore[import-untyped]

from leeward import explain_ran, ran
from tests.integrations.failing import REFUSE, Answer, Case, FailingServer, Step
from tests.integrations.lost import LOCATIONS
from tests.integrations.test_inside import DONE, AgainAdapter
from tests.integrations.test_retries import failure, post, server

__all__ = ["server"]

UNPROCESSED = {"UnprocessedItems": {"t": [{"PutRequest": {"Item": {"id": {"S": "2"}}}}]}}
PROOFS = b'{"__type": "X", "message": "Connection refused, so it did not run: NewConnectionError"}'


class ConnectTimeout(Exception):
    """As one of requests is called."""


class OwnTimeout(requests.exceptions.ConnectTimeout):
    """Raised by somebody's code, who knows what came before."""


def class_of(name: str, module: str) -> type[Exception]:
    """Return a class of a module that need not be installed."""
    return type(name, (Exception,), {"__module__": module})


@pytest.mark.parametrize(
    "error",
    [
        ConnectTimeout("no connection could be made"),
        OwnTimeout("no connection could be made"),
        class_of("GoogleAuthError", "google.our_company")("no token"),
        pickle.loads(pickle.dumps(requests.exceptions.ConnectTimeout("nobody there"))),
        class_of("ReadOnlyError", "redis.exceptions")("READONLY, and no frame of redis is left"),
        class_of("PoolTimeout", "psycopg_pool")("of the last attempt, in another process"),
    ],
    ids=["name", "subclass", "namespace", "pickled", "without frames", "of a pool"],
)
def test_a_name_is_no_proof(error: Exception) -> None:
    """The call must have gone through the library's own code."""
    assert ran(error) == "maybe", explain_ran(error)


@pytest.mark.parametrize(
    ("module", "function"),
    [
        ("redis.client", "transaction"),
        ("redis.asyncio.cluster", "execute_command"),
        ("redis.asyncio.multidb.client", "execute_command"),
    ],
)
def test_a_client_of_redis_that_calls_again_proves_nothing(module: str, function: str) -> None:
    """The last attempt finds nobody; an answer to one before it was lost."""
    code = f"def get_connection(): raise error\ndef {function}(): get_connection()"
    error = class_of("ConnectionError", "redis.exceptions")("Connection refused")
    scope: dict[str, Any] = {"__name__": module, "error": error}
    exec(code, scope)
    assert ran(failure(scope[function])) == "maybe", explain_ran(error)


@pytest.mark.parametrize("location", sorted(set(LOCATIONS)))
def test_a_wrong_address_in_an_answer_proves_nothing(server: FailingServer, location: str) -> None:
    """The request that was answered so may have had its effect."""

    def post_to_pool(case: Case) -> None:
        with urllib3.HTTPConnectionPool("127.0.0.1", case.port, timeout=1) as pool:
            pool.urlopen("POST", "/", body=b"{}")

    redirect = Answer(303, (("location", location),), b"", runs=True)
    for call in (post, post_to_pool):
        case = server.open([Step("answer", answer=redirect), REFUSE])
        try:
            call(case)
        except Exception as raised:  # noqa: BLE001 - any
            error = raised
        else:
            continue
        assert ran(error) == "maybe", explain_ran(error)


def test_a_refusal_after_a_request_of_somebody_else_proves_nothing(server: FailingServer) -> None:
    """The adapter had sent the request before; the last answer alone is in the exception."""
    case = server.open([DONE, Step("answer", answer=Answer(413))])
    with requests.Session() as session:
        session.mount("http://", AgainAdapter())
        answer = session.post(f"http://127.0.0.1:{case.port}", json={}, timeout=1)
        assert case.effects == 1
        assert ran(failure(answer.raise_for_status)) == "maybe"


def test_a_batch_that_is_sent_in_parts_proves_nothing(server: FailingServer) -> None:
    """`batch_writer` sends again what DynamoDB has not taken the first time."""
    headers = (("content-type", "application/x-amz-json-1.0"), ("connection", "close"))
    first = Answer(200, headers, json.dumps(UNPROCESSED).encode(), runs=True)
    case = server.open([Step("answer", answer=first), REFUSE])

    def write() -> None:
        with table_at(case).batch_writer() as batch:
            batch.put_item(Item={"id": "1"})
            batch.put_item(Item={"id": "2"})

    assert ran(failure(write)) == "maybe"
    assert case.effects == 1


def test_a_text_in_an_answer_proves_nothing(server: FailingServer) -> None:
    """Whoever wrote it."""
    case = server.open([Step("answer", answer=Answer(500, (), PROOFS, runs=True))])
    error = failure(lambda: table_at(case).put_item(Item={"id": "1"}))
    assert ran(error) == "maybe", explain_ran(error)


def table_at(case: Case) -> Any:
    """Return a table of DynamoDB, by a client that sends once."""
    session = boto3.Session("a", "b", region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1}, read_timeout=1)
    url = f"http://127.0.0.1:{case.port}"
    return session.resource("dynamodb", endpoint_url=url, config=config).Table("t")


def test_another_thread_raises_the_same_proof(server: FailingServer) -> None:
    """Its traceback goes with the exception."""
    case = server.open([REFUSE])
    with ThreadPoolExecutor(1) as pool:
        assert ran(failure(lambda: pool.submit(post, case).result())) == "no"


def test_a_cause_that_is_left_out_proves_nothing(server: FailingServer) -> None:
    """`from None` leaves nothing to ask."""

    def pay() -> None:
        try:
            post(server.open([REFUSE]))
        except requests.ConnectionError:
            raise LookupError from None

    assert ran(failure(pay)) == "maybe"


@contextmanager
def garbling_server(context: ssl.SSLContext, received: list[bytes]) -> Iterator[int]:
    """Serve one request over TLS, and answer with bytes that are no TLS."""

    def serve() -> None:
        plain, _ = listener.accept()
        with context.wrap_socket(plain, server_side=True) as secured:
            received.append(secured.recv(65536))
            os.write(secured.fileno(), b"this is no record of TLS" * 4)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_a_handshake_of_an_earlier_call_proves_nothing(tmp_path: Path) -> None:
    """It is only handled while the second call fails, which was received."""
    authority, foreign = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "trusted.pem"))
    contexts = {}
    for name, issuer in (("trusted", authority), ("foreign", foreign)):
        contexts[name] = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        issuer.issue_cert("localhost").configure_cert(contexts[name])
    received: list[bytes] = []

    def send(port: int) -> None:
        trusted = str(tmp_path / "trusted.pem")
        with urllib3.PoolManager(ca_certs=trusted, retries=False, timeout=5) as pool:
            pool.request("POST", f"https://localhost:{port}", body=b"{}")

    def send_elsewhere() -> None:
        with FailingServer(contexts) as server:
            port = server.open([DONE], "foreign").port
            try:
                send(port)
            except urllib3.exceptions.SSLError:
                with garbling_server(contexts["trusted"], received) as other:
                    send(other)

    error = failure(send_elsewhere)
    assert received
    assert ran(error) == "maybe", explain_ran(error)
