"""The credential cache: early renewal, one flight, and nothing of it in a repr."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from leeward.adapter.resolver import (
    EARLY,
    RENEWAL_PAUSE,
    Age,
    Credential,
    CredentialCache,
    NoCredential,
    age_of,
)
from leeward.errors import Outcome
from leeward.testing import FakeClock

PATIENCE = 30.0
DOWN = NoCredential(Outcome.NOT_SENT, "endpoint_down", "the token endpoint is down")


class Issuer:
    """Issues numbered secrets that live for `life` seconds."""

    def __init__(self, clock: FakeClock, life: float = 3600.0) -> None:
        self.clock = clock
        self.life = life
        self.issued = 0
        self.down: BaseException | None = None
        self.before: Callable[[], object] = lambda: None
        self.done = threading.Semaphore(0)

    def __call__(self, scope: str, timeout: float) -> Credential:
        assert scope
        assert timeout > 0
        try:
            self.before()
            if self.down:
                raise self.down
            self.issued += 1
            now = self.clock.now()
            return Credential(f"secret-{self.issued}", now, now + self.life)
        finally:
            self.done.release()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1000.0)


@pytest.fixture
def issuer(clock: FakeClock) -> Issuer:
    return Issuer(clock)


@pytest.fixture
def cache(clock: FakeClock, issuer: Issuer) -> CredentialCache:
    return CredentialCache(issuer, clock.now, lambda: 0.0)


def get(cache: CredentialCache, scope: str = "a", refused: Any = None) -> Any:
    return cache.get(scope, PATIENCE, refused)


def eventually(cache: CredentialCache, secret: str) -> bool:
    """Ask until the cache gives `secret`."""
    waiting = threading.Event()
    return any(get(cache) == secret or waiting.wait(0.01) for _ in range(1000))


@pytest.mark.parametrize(
    ("after", "chance", "age"),
    [
        (0, 0.0, Age.GOOD),
        (3299, 0.0, Age.GOOD),
        (3300, 0.0, Age.DUE),
        (3300, 0.99, Age.GOOD),
        (3360, 0.99, Age.DUE),
        (3600, 0.5, Age.OVER),
    ],
)
def test_how_a_credential_ages(after: float, chance: float, age: Age) -> None:
    """It is due five minutes before its end, less up to a fifth of that by chance."""
    credential = Credential("s", 0.0, 3600.0)
    assert age_of(credential, after, chance) is age


def test_a_short_credential_is_not_due_at_once() -> None:
    """The early time is a share of a short life."""
    assert age_of(Credential("s", 0.0, EARLY), 0.0, 0.0) is Age.GOOD
    assert age_of(Credential("s", 0.0, None), 1e12, 0.0) is Age.GOOD


def test_it_is_fetched_once_for_each_scope(cache: CredentialCache) -> None:
    """Later calls take it from memory."""
    assert [get(cache) for _ in range(3)] == ["secret-1"] * 3
    assert get(cache, "b") == "secret-2"


def test_nobody_waits_for_an_early_renewal(
    cache: CredentialCache, issuer: Issuer, clock: FakeClock
) -> None:
    """A due secret still holds, so all go on with it until the new one is there."""
    get(cache)
    clock.advance(3301.0)
    go = threading.Event()
    issuer.before = lambda: go.wait(PATIENCE)
    assert [get(cache) for _ in range(3)] == ["secret-1"] * 3
    go.set()
    assert eventually(cache, "secret-2")
    assert issuer.issued == 2


def test_a_failed_early_renewal_is_not_heard_of(
    cache: CredentialCache, issuer: Issuer, clock: FakeClock
) -> None:
    """The old secret still holds, and the next try waits a while."""
    get(cache)
    assert issuer.done.acquire(timeout=PATIENCE)
    clock.advance(3301.0)
    issuer.down = DOWN
    assert get(cache) == "secret-1"
    assert issuer.done.acquire(timeout=PATIENCE)
    assert [get(cache) for _ in range(20)] == ["secret-1"] * 20
    assert not issuer.done.acquire(blocking=False)
    issuer.down = None
    clock.advance(RENEWAL_PAUSE)
    assert eventually(cache, "secret-2")


def test_without_a_secret_the_failure_is_the_callers(
    cache: CredentialCache, issuer: Issuer
) -> None:
    """What the source raises is handed to whoever waits, and the next call asks again."""
    issuer.down = DOWN
    assert get(cache) is DOWN
    issuer.down = None
    assert get(cache) == "secret-1"


def test_an_error_in_a_source_is_no_outage(cache: CredentialCache, issuer: Issuer) -> None:
    """What a source did not mean to raise counts as AUTH, with the error as its cause."""
    issuer.down = ValueError("a secret stands here")
    found = get(cache)
    assert isinstance(found, NoCredential)
    assert (found.outcome, found.code) == (Outcome.AUTH, "ValueError")
    assert found.__cause__ is issuer.down
    assert "secret" not in str(found)


def test_a_refused_secret_is_replaced_once(cache: CredentialCache, issuer: Issuer) -> None:
    """Whoever comes later with the same refusal gets the replacement."""
    old = get(cache)
    assert [get(cache, refused=old) for _ in range(5)] == ["secret-2"] * 5
    assert issuer.issued == 2


@pytest.mark.parametrize("refused", [None, "secret-1"])
def test_two_hundred_waiting_threads_make_one_fetch(
    cache: CredentialCache, issuer: Issuer, refused: str | None
) -> None:
    """At the start, and after a refusal, one flight serves all."""
    if refused:
        assert get(cache) == refused
    everyone = threading.Barrier(200)
    got: list[str] = []

    def ask() -> None:
        everyone.wait(PATIENCE)
        got.append(get(cache, refused=refused))

    threads = [threading.Thread(target=ask) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(set(got)) == 1
    assert len(got) == 200
    assert issuer.issued == (2 if refused else 1)


@pytest.mark.parametrize("refused", [None, "secret-1"])
def test_two_hundred_waiting_tasks_make_one_fetch(
    cache: CredentialCache, issuer: Issuer, refused: str | None
) -> None:
    """The same on an event loop, which goes on meanwhile."""
    if refused:
        assert get(cache) == refused
    go = threading.Event()
    issuer.before = lambda: go.wait(PATIENCE)

    async def all_ask() -> list[str]:
        asking = [cache.get_async("a", PATIENCE, refused) for _ in range(200)]
        *got, _ = await asyncio.gather(*asking, let_go())
        return got

    async def let_go() -> None:
        go.set()

    assert set(asyncio.run(all_ask())) == {"secret-2" if refused else "secret-1"}
    assert issuer.issued == (2 if refused else 1)


def test_nobody_waits_longer_than_the_deadline(cache: CredentialCache, issuer: Issuer) -> None:
    """A source that hangs costs a thread's call and a task's call its own time, and no more."""
    go = threading.Event()
    issuer.before = lambda: go.wait(PATIENCE)
    late = [cache.get("a", 0.01), asyncio.run(cache.get_async("a", 0.01))]
    assert [(each.outcome, each.code) for each in late] == [
        (Outcome.NOT_SENT, "credential_timeout")
    ] * 2
    go.set()
    assert get(cache) == "secret-1"


def test_a_loop_that_ended_is_not_woken(cache: CredentialCache, issuer: Issuer) -> None:
    """A flight that lands after its waiter's event loop was closed still serves the next call."""
    go = threading.Event()
    issuer.before = lambda: go.wait(PATIENCE)
    asyncio.run(cache.get_async("a", 0.01))
    go.set()
    assert get(cache) == "secret-1"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_does_not_wait_for_its_parents_flight(
    cache: CredentialCache, issuer: Issuer
) -> None:
    """A thread does not cross a fork, so the child starts a flight of its own."""
    go = threading.Event()
    issuer.before = lambda: go.wait(PATIENCE)
    cache.get("a", 0.01)
    child = os.fork()
    if child == 0:
        issuer.before = lambda: None
        os._exit(0 if get(cache) == "secret-1" else 1)
    go.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_a_source_raises_the_flight_lands(
    cache: CredentialCache, issuer: Issuer, error: BaseException
) -> None:
    """A program's exit inside a source does not leave later calls waiting for ever."""
    issuer.down = error
    found = get(cache)
    assert (found.outcome, found.__cause__) == (Outcome.AUTH, error)
    issuer.down = None
    assert get(cache) == "secret-1"


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), KeyboardInterrupt()])
def test_a_flight_that_did_not_begin_is_forgotten(
    cache: CredentialCache, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """A shortage of threads is told as one; an interrupt goes on; later calls start anew."""

    def start(_: threading.Thread) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        if isinstance(error, RuntimeError):
            assert get(cache).outcome is Outcome.LOCAL
        else:
            with pytest.raises(KeyboardInterrupt):
                get(cache)
    assert get(cache) == "secret-1"


def test_a_flight_that_takes_too_long_is_given_up(
    cache: CredentialCache, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next call starts another; what the old one brings later is taken, too."""
    go = threading.Event()
    issuer.before = lambda: go.wait(PATIENCE)
    cache.get("a", 0.01)
    monkeypatch.setattr("leeward.adapter.resolver.FLIGHT_SECONDS", 1e-9)
    issuer.before = lambda: None
    assert get(cache) == "secret-1"
    go.set()


def test_an_error_keeps_no_frames(cache: CredentialCache, issuer: Issuer) -> None:
    """Among their variables are secrets."""
    try:
        raise OSError("below")
    except OSError as below:
        issuer.down = ValueError("above")
        issuer.down.__cause__ = below
    cause = get(cache).__cause__
    assert (cause.__traceback__, cause.__cause__.__traceback__) == (None, None)


def test_a_secret_is_in_no_repr() -> None:
    """Whatever prints a credential does not print the secret."""
    assert "secret" not in repr(Credential("secret", 0.0)).replace("Credential", "")
