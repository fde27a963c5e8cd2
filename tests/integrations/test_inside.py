"""Code of others inside of a call may have sent what the last exception does not show."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
import urllib3
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.session import get_session  # type: ignore[import-untyped]
from google.auth.transport.requests import Request

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
    "call", [post_with_adapter, post_with_session, post_and_clear, post_elsewhere]
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


def test_a_lost_answer_is_no_missing_token(server: FailingServer) -> None:
    """google-auth raises the same class for the requests of its callers."""
    case = server.open([DONE])
    url = f"http://127.0.0.1:{case.port}"
    with requests.Session() as session:
        error = failure(lambda: Request(session)(url, method="POST", body=b"{}"))
    assert ran(error) == "maybe"
    assert case.effects == 1


def test_a_library_that_is_not_known_may_have_called_before(
    server: FailingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exception has the cause of its last attempt."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "unknown_payments.py").write_text("class PaymentError(Exception): pass\n")
    monkeypatch.syspath_prepend(str(folder))
    unknown_payments = import_module("unknown_payments")

    def pay() -> None:
        try:
            post(server.open([REFUSE]))
        except requests.ConnectionError as error:
            raise unknown_payments.PaymentError from error

    error = failure(pay)
    assert explain_ran(error).startswith("maybe: it is not known whether unknown_payments")
    assert error.__cause__ is not None
    assert ran(error.__cause__) == "no"


def test_statements_that_are_not_rolled_back_together() -> None:
    """`END` commits, and a pipeline has many statements."""
    server = Server()
    try:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE effects (n bigint)")

            def end() -> None:
                connection.execute("BEGIN; INSERT INTO effects VALUES (1); END; SELECT 1 / 0")

            def run_pipeline() -> None:
                with connection.pipeline() as pipeline:
                    connection.execute("INSERT INTO effects VALUES (2)")
                    pipeline.sync()
                    connection.execute("SELECT 1 / 0")

            assert ran(failure(end)) == "maybe"
            assert ran(failure(run_pipeline)) == "maybe"
            assert connection.execute("SELECT count(*) FROM effects").fetchone() == (2,)
    finally:
        server.stop()
