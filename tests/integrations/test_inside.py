"""Code of others inside of a call may have sent what the last exception does not show."""

from __future__ import annotations

import asyncio
import base64
import pickle
import socket
import ssl
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import requests
import trustme
import urllib3
from azure.core import PipelineClient
from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy
from azure.core.rest import HttpRequest
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import ConnectionClosedError  # type: ignore[import-untyped]
from botocore.session import get_session  # type: ignore[import-untyped]
from google.auth.transport.requests import AuthorizedSession, Request
from google.oauth2.credentials import Credentials
from tenacity import AsyncRetrying, stop_after_attempt, wait_none

from leeward import explain_ran, ran
from tests.integrations.failing import REFUSE, Answer, Case, FailingServer, Step
from tests.integrations.test_retries import failure, post, server
from tests.postgres.server import Server

__all__ = ["server"]

DONE = Step("reset", runs=True)
DONE_AND_ANSWERED = Step("answer", runs=True, answer=Answer(200))


class AgainAdapter(requests.adapters.HTTPAdapter):
    """Sends a request again, as many do that people write."""

    def send(self, *args: Any, **options: Any) -> requests.Response:
        """Send it twice."""
        try:
            return super().send(*args, **options)
        except requests.ConnectionError:
            pass
        return super().send(*args, **options)


class TellingAdapter(requests.adapters.HTTPAdapter):
    """Sends a request again, and raises an exception of requests by itself."""

    def send(self, *args: Any, **options: Any) -> requests.Response:
        """Send it twice."""
        error: Exception | None = None
        for _ in range(2):
            try:
                return super().send(*args, **options)
            except requests.ConnectionError as raised:
                error = raised
        assert error is not None
        raise requests.ConnectionError(*error.args)


class AgainSession(requests.Session):
    """The same for a session."""

    def request(self, *args: Any, **options: Any) -> requests.Response:
        """Send it twice."""
        try:
            return super().request(*args, **options)
        except requests.ConnectionError:
            pass
        return super().request(*args, **options)


def post_with_adapter(case: Case) -> None:
    """Post by a session with an adapter."""
    with requests.Session() as session:
        session.mount("http://", AgainAdapter())
        post(case, session)


def post_with_adapter_that_raises(case: Case) -> None:
    """Post by a session with an adapter whose frames are the last ones."""
    with requests.Session() as session:
        session.mount("http://", TellingAdapter())
        post(case, session)


def post_in_group(case: Case) -> None:
    """Post in a group of tasks, which is tried again whole."""

    async def post_all() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(post, case))

    again = AsyncRetrying(stop=stop_after_attempt(2), wait=wait_none(), reraise=True)
    asyncio.run(again(post_all))


def post_with_session(case: Case) -> None:
    """Post by a session of somebody."""
    with AgainSession() as session:
        post(case, session)


def post_and_clear(case: Case) -> None:
    """Post with retries, and clear the frames as unittest does."""
    try:
        post_with_retries(case)
    except urllib3.exceptions.MaxRetryError as error:
        traceback.clear_frames(error.__traceback__)
        raise


def post_elsewhere(case: Case) -> None:
    """Post with retries in another process."""
    try:
        post_with_retries(case)
    except urllib3.exceptions.MaxRetryError as error:
        raise pickle.loads(pickle.dumps(error)) from None


def post_with_retries(case: Case) -> None:
    """Post with retries of urllib3, whatever came before."""
    with urllib3.HTTPConnectionPool("127.0.0.1", case.port) as pool:
        again = urllib3.Retry(1, allowed_methods=None, backoff_factor=0)
        pool.urlopen("POST", "/", body=b"{}", retries=again)


@pytest.mark.parametrize(
    "call",
    [
        post_with_adapter,
        post_with_adapter_that_raises,
        post_with_session,
        post_and_clear,
        post_elsewhere,
        post_in_group,
    ],
)
def test_the_last_of_several_requests_proves_nothing(
    server: FailingServer, call: Callable[[Case], None]
) -> None:
    """The first one ran; the last one found nobody."""
    case = server.open([DONE, REFUSE])
    error = failure(lambda: call(case))
    assert case.effects == 1
    assert ran(error) == "maybe", explain_ran(error)


def test_a_hook_answers_for_its_own_request_alone(server: FailingServer) -> None:
    """What it sends finds nobody, after the call around it was answered."""
    client = get_session().create_client(
        "lambda",
        region_name="x",
        endpoint_url=f"http://127.0.0.1:{server.open([DONE_AND_ANSWERED]).port}",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"total_max_attempts": 1}),
    )
    away = server.open([REFUSE])
    client.meta.events.register("after-call.*.*", lambda **_: post(away))
    error = failure(client.list_functions)
    client.close()
    assert isinstance(error, requests.ConnectionError)
    assert ran(error) == "maybe", explain_ran(error)


@pytest.mark.parametrize("kind", [LookupError, type("OwnError", (Exception,), {})])
def test_a_hook_that_raises_its_own_error_proves_nothing_of_the_call(
    server: FailingServer, kind: type[Exception]
) -> None:
    """The call was answered; what the hook sends after it finds nobody."""
    away = server.open([REFUSE])

    def tell(response: requests.Response, **_: Any) -> None:
        response.close()
        try:
            post(away)
        except requests.ConnectionError as error:
            raise kind from error

    with requests.Session() as session:
        session.hooks["response"].append(tell)
        case = server.open([DONE_AND_ANSWERED])
        error = failure(lambda: post(case, session))
    assert isinstance(error, kind)
    assert ran(error) == "maybe", explain_ran(error)


def table_of_others(case: Case, send: Callable[[Any, Any], Any]) -> Any:
    """Return a client of DynamoDB, whose requests somebody's code sends."""
    client = get_session().create_client(
        "dynamodb",
        region_name="x",
        endpoint_url=f"http://127.0.0.1:{case.port}",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"total_max_attempts": 1}),
    )
    session = client._endpoint.http_session
    client.meta.events.register(
        "before-send.dynamodb.*", lambda request, **_: send(session, request)
    )
    return client


def test_a_refusal_of_what_others_sent_for_boto3_proves_nothing(server: FailingServer) -> None:
    """Their code sends the write again, and the second one is refused because the first has run."""

    def send_twice(session: Any, request: Any) -> Any:
        with pytest.raises(ConnectionClosedError):
            session.send(request)
        return session.send(request)

    body = b'{"__type": "com.amazonaws.dynamodb#ConditionalCheckFailedException"}'
    case = server.open([DONE, Step("answer", answer=Answer(400, (), body))])
    client = table_of_others(case, send_twice)
    error = failure(lambda: client.put_item(TableName="t", Item={"id": {"S": "1"}}))
    client.close()
    assert case.effects == 1
    assert ran(error) == "maybe", explain_ran(error)


def test_a_login_that_azure_asks_for_once_more_proves_nothing(server: FailingServer) -> None:
    """The first request was answered, with a challenge for other claims."""
    claims = base64.b64encode(b"{}").decode()
    challenge = f'Bearer error="insufficient_claims", claims="{claims}"'
    headers = (("www-authenticate", challenge), ("connection", "close"))
    case = server.open([Step("answer", runs=True, answer=Answer(401, headers)), REFUSE])
    login = BearerTokenCredentialPolicy(
        SimpleNamespace(get_token=lambda *_, **__: AccessToken("t", 2**40)), "scope"
    )
    url = f"http://127.0.0.1:{case.port}/"
    policies = [RetryPolicy(retry_total=0), login]
    client: Any = PipelineClient(url, policies=policies)
    with client:
        request = HttpRequest("POST", url, json={})
        error = failure(lambda: client.send_request(request, enforce_https=False))
    assert case.effects == 1
    assert ran(error) == "maybe", explain_ran(error)


def test_a_body_that_fails_proves_nothing_of_the_request_it_is_of(server: FailingServer) -> None:
    """A part of it was received; a handshake for the next part is none of the request's."""
    received: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            while data := connection.recv(65536):
                received.append(data)

    def read_parts(port: int) -> Iterator[bytes]:
        yield b"{}"
        requests.post(f"https://127.0.0.1:{port}/", timeout=1)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with FailingServer({"foreign": context}) as foreign:
            parts = read_parts(foreign.open([DONE], "foreign").port)
            error = failure(lambda: requests.post(url, data=parts, timeout=1))
        thread.join()
    assert received
    assert ran(error) == "maybe", explain_ran(error)


def test_a_proxy_that_loses_the_answer_was_no_missing_connection(server: FailingServer) -> None:
    """urllib3 says that it could not connect to the proxy, for it has closed the connection."""
    case = server.open([DONE])
    client = get_session().create_client(
        "lambda",
        region_name="x",
        endpoint_url="http://lambda.example",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(
            retries={"total_max_attempts": 1}, proxies={"http": f"http://127.0.0.1:{case.port}"}
        ),
    )
    error = failure(client.list_functions)
    client.close()
    assert case.effects == 1
    assert ran(error) == "maybe", explain_ran(error)


@pytest.mark.parametrize("refresh_token", [None, "r"])
def test_a_token_that_fails_after_an_answer_proves_nothing(
    server: FailingServer, refresh_token: str | None
) -> None:
    """google-auth asks for another token once a request was answered with 401."""
    case = server.open([Step("answer", answer=Answer(401, runs=True))])
    nowhere = f"http://127.0.0.1:{server.open([REFUSE]).port}"
    token = Credentials(  # type: ignore[no-untyped-call]
        "t", refresh_token=refresh_token, token_uri=nowhere, client_id="c", client_secret="s"
    )
    with AuthorizedSession(token) as session:  # type: ignore[no-untyped-call]
        error = failure(lambda: post(case, session))
    assert case.effects == 1
    assert ran(error) == "maybe", explain_ran(error)


def test_a_cause_of_itself_has_an_answer() -> None:
    """It does not go round for ever, and a long chain is no deep one."""
    error = ValueError()
    error.__cause__ = error
    assert ran(error) == "maybe"
    error = ValueError()
    error.__cause__ = ExceptionGroup("of a task group", [error])
    assert ran(error) == ran(error.__cause__) == "maybe"
    for _ in range(sys.getrecursionlimit() + 100):
        cause, error = error, ValueError()
        error.__cause__ = cause
    assert ran(error) == "maybe"


def test_a_lost_answer_is_no_missing_token(server: FailingServer) -> None:
    """google-auth raises the same class for the requests of its callers."""
    case = server.open([DONE])
    url = f"http://127.0.0.1:{case.port}"
    with requests.Session() as session:
        error = failure(lambda: Request(session)(url, method="POST", body=b"{}"))
    assert ran(error) == "maybe"
    assert case.effects == 1


def test_statements_whose_effect_is_not_rolled_back(tmp_path: Path) -> None:
    """`END` commits, a pipeline has many statements, and some effects are of no transaction."""
    server = Server()
    try:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE effects (n bigint); CREATE SEQUENCE numbers")

            def run_pipeline() -> None:
                with connection.pipeline() as pipeline:
                    connection.execute("INSERT INTO effects VALUES (2)")
                    pipeline.sync()
                    connection.execute("SELECT 1 / 0")

            assert ran(failure(run_pipeline)) == "maybe"
            file = tmp_path / "rows"
            for statement in (
                "BEGIN; INSERT INTO effects VALUES (1); END; SELECT 1 / 0",
                "SELECT setval('numbers', 5), 1 / (n - n) FROM (SELECT random() AS n) AS one",
                "SELECT pg_advisory_lock(1), 1 / (n - n) FROM (SELECT random() AS n) AS one",
                f"COPY (SELECT 1 / (2 - n) FROM generate_series(1, 2) AS n) TO '{file}'",
            ):
                error = failure(partial(connection.execute, statement))
                assert ran(error) == "maybe", statement
            looks = {
                "SELECT count(*) FROM effects": 2,
                "SELECT last_value FROM numbers": 5,
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'": 1,
            }
            for look, count in looks.items():
                assert connection.execute(look).fetchone() == (count,), look
    finally:
        server.stop()
