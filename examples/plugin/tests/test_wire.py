"""What goes over the wire: one request for each attempt, and nothing that nobody asked for."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from responses import RequestsMock

from leeward import ConfigError
from leeward.calls import Delete, Invoke, Key, Store
from leeward.errors import Outcome
from leeward.values import Effect
from leeward_nimbus import NimbusDriver

from .conftest import URL

INVOKE = Invoke("f", b'{"n": 1}', "the-key", Effect.IDEMPOTENT)
F = f"{URL}/functions/f"


@pytest.fixture
def nimbus() -> Iterator[RequestsMock]:
    """Return a Nimbus that answers as told."""
    with RequestsMock() as mock:
        yield mock


def test_a_call_carries_payload_key_and_token(nimbus: RequestsMock, driver: NimbusDriver) -> None:
    """The payload goes as it is, with the idempotency key and the token."""
    nimbus.post(F, json="done")
    assert driver.perform(INVOKE, 5.0).value == "done"
    request = nimbus.calls[0].request
    assert request.body == INVOKE.payload
    assert request.url == f"{F}?idempotency_key=the-key"
    assert request.headers["Authorization"] == "Bearer secret-token"


def test_a_name_is_one_part_of_the_path(nimbus: RequestsMock, driver: NimbusDriver) -> None:
    """A slash or a question mark in a name leads nowhere else."""
    nimbus.post(f"{URL}/functions/a%2Fb%3Fc", json=1)
    assert driver.perform(Invoke("a/b?c", b"null", "k"), 5.0).value == 1


def test_a_redirect_is_not_followed(nimbus: RequestsMock, driver: NimbusDriver) -> None:
    """The token goes nowhere else, and the call is not made twice."""
    nimbus.post(F, status=307, headers={"Location": "https://elsewhere.example/"})
    assert driver.perform(INVOKE, 5.0).outcome is Outcome.AMBIGUOUS
    assert len(nimbus.calls) == 1


def test_a_failure_is_not_retried(nimbus: RequestsMock, driver: NimbusDriver) -> None:
    """One attempt is one request, even where repeating is harmless."""
    nimbus.post(F, status=503, json={"code": "c", "message": "m"})
    driver.perform(INVOKE, 5.0)
    assert len(nimbus.calls) == 1


def test_no_cookie_is_kept(nimbus: RequestsMock, driver: NimbusDriver) -> None:
    """A cookie that an answer sets does not come with the next request."""
    nimbus.post(F, json=1, headers={"Set-Cookie": "session=1"})
    for _ in range(2):
        driver.perform(INVOKE, 5.0)
    assert "Cookie" not in nimbus.calls[1].request.headers


def test_a_netrc_file_does_not_replace_the_token(
    nimbus: RequestsMock,
    driver: NimbusDriver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The token that was configured is the one that is sent."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine nimbus.example login me password other\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    nimbus.post(F, json=1)
    driver.perform(INVOKE, 5.0)
    assert nimbus.calls[0].request.headers["Authorization"] == "Bearer secret-token"


def test_conditions_travel_in_the_query(nimbus: RequestsMock, driver: NimbusDriver) -> None:
    """A write says what has to hold; what does not matter is left out."""
    key = Key(("id",), ("a/b",))
    nimbus.put(f"{URL}/tables/t/a~2fb", json={"revision": "7"})
    nimbus.delete(f"{URL}/tables/t/a~2fb", body="null")
    stored = driver.perform(Store("t", key, {"id": "a/b"}, "w", 1.5, 60.0, if_absent=True), 5.0)
    deleted = driver.perform(Delete("t", key, 1.5, if_revision="7"), 5.0)
    assert (stored.value, deleted.outcome) == ("7", Outcome.OK)
    assert [str(call.request.url).partition("?")[2] for call in nimbus.calls] == [
        "now=1.5&expires=60.0&if_absent=True",
        "now=1.5&if_revision=7",
    ]
    assert json.loads(nimbus.calls[0].request.body or b"")["id"] == "a/b"


def test_the_deadline_holds_while_the_answer_drips() -> None:
    """A server that sends a byte now and then does not hold a call beyond its deadline."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()
        thread = threading.Thread(target=_drip, args=[listener, ended])
        thread.start()
        driver = NimbusDriver("nimbus", f"http://127.0.0.1:{listener.getsockname()[1]}", "token")
        began = time.monotonic()
        result = driver.perform(INVOKE, 0.3)
        took = time.monotonic() - began
        ended.set()
        thread.join()
        driver.close()
    assert (result.outcome, result.code) == (Outcome.AMBIGUOUS, "deadline")
    assert took < 3.0


def _drip(listener: socket.socket, ended: threading.Event) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not ended.wait(0.05):
            connection.sendall(b" ")


def test_connecting_gives_up_before_the_deadline(
    nimbus: RequestsMock, driver: NimbusDriver
) -> None:
    """A connection that does not come about is told apart from an answer that does not come."""
    nimbus.post(F, json=1)
    driver.perform(INVOKE, 5.0)
    connecting, receiving = nimbus.calls[0].request.req_kwargs["timeout"]  # type: ignore[attr-defined]
    assert 0 < connecting < receiving <= 5.0


def test_a_call_that_never_began_was_not_sent(driver: NimbusDriver) -> None:
    """While every thread is busy, a call waits for its deadline and is known not to have run."""
    free = threading.Event()
    for _ in range(32):
        driver._threads.submit(free.wait)
    result = driver.perform(INVOKE, 0.05)
    free.set()
    assert (result.outcome, result.code) == (Outcome.LOCAL, "deadline")


def test_closing_ends_the_threads(nimbus: RequestsMock) -> None:
    """Nothing of a driver is left running."""
    nimbus.post(F, json=1)
    driver = NimbusDriver("nimbus", URL, "token")
    driver.perform(INVOKE, 5.0)
    (thread,) = driver._threads._threads
    driver.close()
    thread.join(10.0)
    assert not thread.is_alive()


def test_nothing_shows_the_token(driver: NimbusDriver) -> None:
    """The settings that are shown do not hold the token."""
    assert driver.describe() == {"url": URL}


def test_the_native_client_is_the_session(driver: NimbusDriver) -> None:
    """The session is handed out under its name, and under no other."""
    assert driver.native("http").headers["Authorization"] == "Bearer secret-token"
    with pytest.raises(ConfigError, match="use http"):
        driver.native("functions")
