"""The resolver: early renewal, one flight, bounded memory, and no value in a repr."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Hashable
from typing import Any

import pytest

from leeward.adapter.resolver import (
    MOST_KEPT,
    RENEWAL_PAUSE,
    ConfiguredFirst,
    Resolved,
    Resolver,
    Unresolved,
)
from leeward.errors import Outcome
from leeward.testing import FakeClock

PATIENCE = 30.0
DOWN = Unresolved(Outcome.NOT_SENT, "endpoint_down", "the token endpoint is down")


class Issuer:
    """Issues numbered secrets that live for `life` seconds."""

    def __init__(self, clock: FakeClock, life: float = 3600.0) -> None:
        self.clock = clock
        self.life = life
        self.issued = 0
        self.down: BaseException | None = None
        self.before: Callable[[], object] = lambda: None
        self.done = threading.Semaphore(0)

    def __call__(self, what: Hashable, timeout: float) -> Resolved:
        assert what is not None
        assert timeout > 0
        try:
            self.before()
            if self.down:
                raise self.down
            self.issued += 1
            now = self.clock.now()
            return Resolved(f"secret-{self.issued}", now, now + self.life)
        finally:
            self.done.release()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1000.0)


@pytest.fixture
def issuer(clock: FakeClock) -> Issuer:
    return Issuer(clock)


@pytest.fixture
def resolver(clock: FakeClock, issuer: Issuer) -> Resolver:
    return Resolver(issuer, clock.now, lambda: 0.0)


def get(resolver: Resolver, what: Hashable = "a", refused: Any = None) -> Any:
    return resolver.get(what, PATIENCE, refused)


def eventually(resolver: Resolver, secret: str) -> bool:
    """Ask until the resolver gives `secret`."""
    waiting = threading.Event()
    return any(get(resolver) == secret or waiting.wait(0.01) for _ in range(1000))


@pytest.mark.threat("S7")
def test_nobody_waits_for_an_early_renewal(
    resolver: Resolver, issuer: Issuer, clock: FakeClock
) -> None:
    """A due secret still holds, so all go on with it until the new one is there."""
    get(resolver)
    clock.advance(3301.0)
    go = threading.Event()
    issuer.before = lambda: go.wait(PATIENCE)
    assert [get(resolver) for _ in range(3)] == ["secret-1"] * 3
    go.set()
    assert eventually(resolver, "secret-2")
    assert issuer.issued == 2


def test_a_failed_early_renewal_is_not_heard_of(
    resolver: Resolver, issuer: Issuer, clock: FakeClock
) -> None:
    """The old secret still holds, and the next try waits a while."""
    get(resolver)
    assert issuer.done.acquire(timeout=PATIENCE)
    clock.advance(3301.0)
    issuer.down = DOWN
    assert get(resolver) == "secret-1"
    assert issuer.done.acquire(timeout=PATIENCE)
    assert [get(resolver) for _ in range(20)] == ["secret-1"] * 20
    assert not issuer.done.acquire(blocking=False)
    issuer.down = None
    clock.advance(RENEWAL_PAUSE)
    assert eventually(resolver, "secret-2")


def test_a_source_that_has_nothing_newer_is_left_alone(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked early once in a while, not at each call, and waited for at the end."""
    # Each flight is over before the call goes on.
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.run)
    given: list[float] = []

    def same(what: Hashable, timeout: float) -> Resolved:
        given.append(clock.now())
        return Resolved("first" if clock.now() < 4600 else "second", 1000.0, 4600.0)

    resolver = Resolver(same, clock.now, lambda: 0.0)
    get(resolver)
    clock.advance(3301.0)
    assert {get(resolver) for _ in range(20)} == {"first"}
    clock.advance(RENEWAL_PAUSE)
    assert {get(resolver) for _ in range(20)} == {"first"}
    assert given == [1000.0, 4301.0, 4301.0 + RENEWAL_PAUSE]
    clock.advance(1000.0)
    assert get(resolver) == "second"


def test_without_a_secret_the_failure_is_the_callers(resolver: Resolver, issuer: Issuer) -> None:
    """What the source raises is handed to whoever waits, and the next call asks again."""
    issuer.down = DOWN
    assert get(resolver) is DOWN
    issuer.down = None
    assert get(resolver) == "secret-1"


@pytest.mark.threat("S7")
def test_a_refused_secret_is_replaced_once(resolver: Resolver, issuer: Issuer) -> None:
    """Whoever comes later with the same refusal gets the replacement."""
    old = get(resolver)
    assert [get(resolver, refused=old) for _ in range(5)] == ["secret-2"] * 5
    assert issuer.issued == 2


@pytest.mark.parametrize("refused", [None, "secret-1"])
@pytest.mark.threat("S7")
def test_two_hundred_waiting_threads_make_one_fetch(
    resolver: Resolver, issuer: Issuer, refused: str | None
) -> None:
    """At the start, and after a refusal, one flight serves all."""
    if refused:
        assert get(resolver) == refused
    everyone = threading.Barrier(200)
    got: list[str] = []

    def ask() -> None:
        everyone.wait(PATIENCE)
        got.append(get(resolver, refused=refused))

    threads = [threading.Thread(target=ask) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(set(got)) == 1
    assert len(got) == 200
    assert issuer.issued == (2 if refused else 1)


@pytest.mark.parametrize("refused", [None, "secret-1"])
@pytest.mark.threat("S7")
def test_two_hundred_waiting_tasks_make_one_fetch(
    resolver: Resolver, issuer: Issuer, refused: str | None
) -> None:
    """The same on an event loop, which goes on meanwhile."""
    if refused:
        assert get(resolver) == refused
    go = threading.Event()
    issuer.before = lambda: go.wait(PATIENCE)

    async def all_ask() -> list[str]:
        asking = [resolver.get_async("a", PATIENCE, refused) for _ in range(200)]
        *got, _ = await asyncio.gather(*asking, let_go())
        return got

    async def let_go() -> None:
        go.set()

    assert set(asyncio.run(all_ask())) == {"secret-2" if refused else "secret-1"}
    assert issuer.issued == (2 if refused else 1)


def test_nobody_waits_longer_than_the_deadline(resolver: Resolver, issuer: Issuer) -> None:
    """A source that hangs costs a thread's call and a task's call its own time, and no more."""
    go = threading.Event()
    issuer.before = lambda: go.wait(PATIENCE)
    late = [resolver.get("a", 0.01), asyncio.run(resolver.get_async("a", 0.01))]
    assert [(each.outcome, each.code) for each in late] == [
        (Outcome.NOT_SENT, "credential_timeout")
    ] * 2
    go.set()
    assert get(resolver) == "secret-1"


def test_a_loop_that_ended_is_not_woken(resolver: Resolver, issuer: Issuer) -> None:
    """A flight that lands after its waiter's event loop was closed still serves the next call."""
    go = threading.Event()
    issuer.before = lambda: go.wait(PATIENCE)
    asyncio.run(resolver.get_async("a", 0.01))
    go.set()
    assert get(resolver) == "secret-1"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_does_not_wait_for_its_parents_flight(resolver: Resolver, issuer: Issuer) -> None:
    """A thread does not cross a fork, so the child starts a flight of its own."""
    go = threading.Event()
    issuer.before = lambda: go.wait(PATIENCE)
    resolver.get("a", 0.01)
    child = os.fork()
    if child == 0:
        issuer.before = lambda: None
        os._exit(0 if get(resolver) == "secret-1" else 1)
    go.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_a_source_raises_the_flight_lands(
    resolver: Resolver, issuer: Issuer, error: BaseException
) -> None:
    """A program's exit inside a source does not leave later calls waiting for ever."""
    issuer.down = error
    found = get(resolver)
    assert (found.outcome, found.__cause__) == (Outcome.AUTH, error)
    issuer.down = None
    assert get(resolver) == "secret-1"


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), KeyboardInterrupt()])
def test_a_flight_that_did_not_begin_is_forgotten(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """A shortage of threads is told as one; an interrupt goes on; later calls start anew."""

    def start(_: threading.Thread) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        if isinstance(error, RuntimeError):
            assert get(resolver).outcome is Outcome.LOCAL
        else:
            with pytest.raises(KeyboardInterrupt):
                get(resolver)
    assert get(resolver) == "secret-1"


def test_a_flight_that_takes_too_long_is_given_up(
    resolver: Resolver, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next call starts another; what the old one brings later is taken, too."""
    go = threading.Event()
    issuer.before = lambda: go.wait(PATIENCE)
    resolver.get("a", 0.01)
    monkeypatch.setattr("leeward.adapter.resolver.FLIGHT_SECONDS", 1e-9)
    issuer.before = lambda: None
    assert get(resolver) == "secret-1"
    go.set()


def test_an_answer_that_is_over_is_fetched_anew(
    resolver: Resolver, issuer: Issuer, clock: FakeClock
) -> None:
    """Nobody is given what has ended, so the caller waits."""
    get(resolver)
    clock.advance(3600.0)
    assert get(resolver) == "secret-2"


# What is kept has a bound.


@pytest.mark.row(11)
@pytest.mark.threat("S19")
def test_so_many_answers_are_kept_and_no_more(resolver: Resolver, issuer: Issuer) -> None:
    """The one that was not used for the longest time is fetched again when it is needed again."""
    for number in range(MOST_KEPT):
        get(resolver, f"f{number}")
    assert get(resolver, "f0") == "secret-1", "used again, so f1 is the oldest now"
    get(resolver, "one more")
    assert len(resolver._slots) == MOST_KEPT
    assert get(resolver, "f0") == "secret-1"
    assert get(resolver, "f2") == "secret-3"
    assert get(resolver, "f1") == f"secret-{MOST_KEPT + 2}"
    assert len(resolver._slots) == MOST_KEPT


@pytest.mark.row(11)
@pytest.mark.threat("S19")
def test_names_without_an_answer_have_a_bound_too(resolver: Resolver, issuer: Issuer) -> None:
    """What is refused leaves a place behind as well."""
    issuer.down = DOWN
    for number in range(MOST_KEPT + 10):
        assert get(resolver, f"f{number}") is DOWN
    assert len(resolver._slots) == MOST_KEPT


# What is configured.


class Settings:
    """What is configured: changes as an environment does."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.values: dict[Hashable, str] = {}
        self.ends: float | None = None
        self.wrong: Unresolved | None = None

    def __call__(self, what: Hashable) -> Resolved | None:
        if self.wrong:
            raise self.wrong
        value = self.values.get(what)
        return value and Resolved(value, self.clock.now(), self.ends)  # type: ignore[return-value]


@pytest.mark.row(11)
@pytest.mark.threat("S19")
def test_what_is_configured_needs_no_thread(
    clock: FakeClock, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given at once, on threads and event loops; everything else is fetched."""
    settings = Settings(clock)
    settings.values["a"] = "configured"
    resolver = Resolver(ConfiguredFirst(settings, issuer), clock.now, lambda: 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda _: pytest.fail("a thread was started"))
        assert [get(resolver) for _ in range(2)] == ["configured"] * 2
        assert asyncio.run(resolver.get_async("a", PATIENCE)) == "configured"
    assert issuer.issued == 0
    assert get(resolver, "b") == "secret-1"
    assert len(resolver._slots) == 2


def test_what_is_configured_is_read_again(clock: FakeClock, issuer: Issuer) -> None:
    """After its end and after a refusal; what is wrong with it by then is told."""
    settings = Settings(clock)
    settings.values["a"], settings.ends = "one", 1600.0
    resolver = Resolver(ConfiguredFirst(settings, issuer), clock.now, lambda: 0.0)
    assert get(resolver) == "one"
    settings.values["a"], settings.ends = "two", None
    assert get(resolver) == "one"
    clock.advance(600.0)
    assert get(resolver) == "two"
    assert get(resolver, refused="two") == "two", "there is no other"
    settings.values["a"] = "three"
    assert get(resolver, refused="two") == "three"
    settings.wrong = Unresolved(Outcome.AUTH, "half", "half a key")
    assert get(resolver, refused="three") is settings.wrong
    assert get(resolver) == "three"


# What it costs.


def test_an_answer_can_be_required(resolver: Resolver, issuer: Issuer) -> None:
    """Then what stands in the way is raised: a new error, for the old one belongs to others too."""
    assert resolver.require("a", PATIENCE) == "secret-1"
    issuer.down = DOWN
    with pytest.raises(Unresolved, match="down") as caught:
        resolver.require("b", PATIENCE)
    assert caught.value is not DOWN
    assert caught.value.__cause__ is DOWN
