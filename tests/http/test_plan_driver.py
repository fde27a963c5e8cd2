"""PlanDriver carries a plan out, on threads and on event loops alike."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from typing import Any

import pytest

from leeward._http.messages import Failure, Phase, Request, Response
from leeward._http.wire import Wire
from leeward.adapter import Capability, Limits
from leeward.adapter.opening import LOAD_PROBE, PlanDriver, TargetInfo
from leeward.adapter.plans import STALE_CREDENTIALS, Drop, Need, Plan, Send, View
from leeward.adapter.resolver import Resolved, Unresolved
from leeward.calls import Call, Delete, Enqueue, Invoke, Key, Result
from leeward.errors import ConfigError, Outcome, Unsupported

CALL = Invoke("f", b"{}", "k")
FACTS = TargetInfo("nimbus:one", frozenset({Capability.INVOKE}), Limits(), {"region": "one"})
ORIGIN = "https://nimbus.test"
CLOSED = Failure(Phase.REFUSED_HERE, sent=False, code="closed")


class Cloud:
    """Answers requests, and counts transports."""

    def __init__(self) -> None:
        self.answers: list[Response | Failure] = []
        self.requests: list[Request] = []
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.dropped: list[tuple[str, str]] = []

    def answer(self, request: Request) -> Response | Failure:
        self.requests.append(request)
        return self.answers.pop(0) if self.answers else Response(200)

    def wire(self) -> Wire:
        return Wire(lambda: Threads(self), lambda: Loop(self))


class Threads:
    kind = "threads"

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._closed = False
        cloud.opened.append(self.kind)

    def send(self, request: Request, timeout: float) -> Response | Failure:
        assert timeout > 0
        return CLOSED if self._closed else self._cloud.answer(request)

    def drop(self, origin: str) -> None:
        self._cloud.dropped.append((self.kind, origin))

    def close(self) -> None:
        self._closed = True
        self._cloud.closed.append(self.kind)


class Loop:
    def __init__(self, cloud: Cloud) -> None:
        self._threads = Threads(cloud)
        self._threads.kind = "loop"
        cloud.opened[-1] = "loop"

    async def send(self, request: Request, timeout: float) -> Response | Failure:
        await asyncio.sleep(0)
        return self._threads.send(request, timeout)

    def drop(self, origin: str) -> None:
        self._threads.drop(origin)

    def close(self) -> None:
        self._threads.close()


class Tokens:
    """Gives numbered tokens, or raises."""

    def __init__(self) -> None:
        self.given = 0
        self.error: Exception | None = None

    def __call__(self, what: Hashable, timeout: float) -> Resolved:
        if self.error:
            raise self.error
        self.given += 1
        return Resolved(f"{what}-{self.given}", 0.0)


def plan(call: Any, view: View) -> Plan:
    token = yield Need("scope")
    response = yield Send(Request("POST", ORIGIN, "/", (("Token", token),)))
    if response.status == 401:
        return Result(Outcome.AUTH, reason=STALE_CREDENTIALS)
    return Result.ok(response.status)


def moved(call: Any, view: View) -> Plan:
    yield Drop(ORIGIN)
    return Result(Outcome.REJECTED)


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def driver(cloud: Cloud, tokens: Tokens) -> PlanDriver:
    def native(service: str, answer: Callable[[Hashable], Any]) -> object:
        if service != "store":
            raise ConfigError("only store")
        return answer("scope")

    plans = {"invoke": plan, "delete": moved}
    return PlanDriver(FACTS, plans, tokens, cloud.wire(), native=native)


Way = Callable[[PlanDriver, Call, float], Result[Any]]


def on_a_loop(driver: PlanDriver, call: Call, timeout: float) -> Result[Any]:
    return asyncio.run(driver.perform_async(call, timeout))


both_ways = pytest.mark.parametrize("way", [PlanDriver.perform, on_a_loop])


@both_ways
def test_a_verb_without_a_plan_is_unsupported(driver: PlanDriver, way: Way) -> None:
    """It is refused before anything is sent."""
    with pytest.raises(Unsupported, match="nimbus:one has no enqueue"):
        way(driver, Enqueue("f", b"{}", "k"), 10.0)


def test_closing_reaches_a_loop_of_another_thread(driver: PlanDriver, cloud: Cloud) -> None:
    """The loop closes its own transport, on its own thread."""
    used, end = threading.Event(), threading.Event()

    async def use() -> None:
        await driver.perform_async(CALL, 10.0)
        used.set()
        assert await asyncio.to_thread(end.wait, 30)

    thread = threading.Thread(target=asyncio.run, args=(use(),))
    thread.start()
    assert used.wait(30)
    driver.close()
    end.set()
    thread.join(30)
    assert cloud.closed == ["loop"]


def test_every_transport_drops_the_connections_of_an_origin(
    driver: PlanDriver, cloud: Cloud
) -> None:
    """Those of threads and those of event loops, whichever of them has learnt of it."""
    gone = Delete("t", Key(("id",), ("1",)), now=0.0)
    assert driver.perform(gone, 10.0).outcome is Outcome.REJECTED
    assert cloud.dropped == []  # there are none, and none is made for it
    driver.perform(CALL, 10.0)

    async def use() -> None:
        await driver.perform_async(CALL, 10.0)
        await driver.perform_async(gone, 10.0)
        assert cloud.dropped == [("threads", ORIGIN), ("loop", ORIGIN)]
        await asyncio.to_thread(driver.perform, gone, 10.0)
        assert cloud.dropped[2] == ("threads", ORIGIN)
        await asyncio.sleep(0)
        assert cloud.dropped[3:] == [("loop", ORIGIN)]

    asyncio.run(use())
    assert driver.perform(gone, 10.0).outcome is Outcome.REJECTED


@pytest.mark.parametrize("notice", ["drop", "close", "another loop"])
def test_the_transport_of_a_loop_that_has_ended_is_closed_when_that_is_noticed(
    driver: PlanDriver, cloud: Cloud, notice: str
) -> None:
    """Its connections would else wait for the garbage collector."""
    asyncio.run(driver.perform_async(CALL, 10.0))
    assert cloud.closed == []
    if notice == "drop":
        driver.perform(Delete("t", Key(("id",), ("1",)), now=0.0), 10.0)
    elif notice == "close":
        driver.close()
    else:
        asyncio.run(driver.perform_async(CALL, 10.0))
    assert cloud.closed == ["loop"]
    assert cloud.dropped == []


def test_a_wire_that_is_closed_meanwhile_gives_transports_that_refuse(cloud: Cloud) -> None:
    """However late: another thread may close it while a transport is made."""

    def made(kind: type[Any]) -> Any:
        transport = kind(cloud)
        wire.close()  # as if on another thread
        return transport

    wire = Wire(lambda: made(Threads), lambda: made(Loop))
    request = Request("POST", ORIGIN, "/")
    assert wire.transport().send(request, 1.0) == CLOSED

    async def use() -> None:
        assert await wire.async_transport().send(request, 1.0) == CLOSED

    asyncio.run(use())
    assert wire.transport() is wire.transport()


def test_a_native_client_hears_that_there_is_no_credential(
    driver: PlanDriver, tokens: Tokens
) -> None:
    """A copy of the source's own error reaches it: that may be raised to several at once."""
    tokens.error = Unresolved(Outcome.AUTH, "none", "no credentials")
    with pytest.raises(Unresolved, match="no credentials") as raised:
        driver.native("store")
    assert (raised.value.outcome, raised.value.code) == (Outcome.AUTH, "none")
    assert raised.value.__cause__ is tokens.error
    assert tokens.error.__traceback__ is None


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (Outcome.OK, Outcome.OK),
        (Outcome.NOT_FOUND, Outcome.OK),
        (Outcome.AUTH, Outcome.OK),
        (Outcome.NOT_SENT, Outcome.NOT_SENT),
        (Outcome.AMBIGUOUS, Outcome.AMBIGUOUS),
    ],
)
def test_a_probe_asks_whether_the_target_answers(
    cloud: Cloud, tokens: Tokens, outcome: Outcome, says: Outcome
) -> None:
    """That what it asks for is not there is an answer, too."""

    def load(call: Any, view: View) -> Plan:
        assert call == LOAD_PROBE.call
        yield from ()
        return Result(outcome)

    facts = FACTS._replace(probe=LOAD_PROBE)
    driver = PlanDriver(facts, {"load": load}, tokens, cloud.wire())
    assert driver.probe_fidelity == "data_plane"
    assert driver.probe(1.0).outcome is says
    assert driver.places() == (0, 0)
