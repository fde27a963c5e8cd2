"""Watching never changes an outcome: whatever raises that is only told, the call ends as it did."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import pytest

from leeward import App, Client, Config, Event
from leeward.app.handlers import answer
from leeward.app.host import Host
from leeward.app.idempotency import idempotent
from leeward.app.triggers import Delivery, Platform
from leeward.config import BusConfig
from leeward.config.model import SpoolConfig
from leeward.errors import LeewardError
from leeward.local import Local
from leeward.logs import log_event, only_watching
from leeward.testing import FakeClock, Fault, FaultyDriver
from tests.collected import Collected
from tests.house.workspace import ROOT
from tests.scripted import AMBIGUOUS, NOT_SENT, OK, Scripted

PATIENCE: Final = 20.0


class Broken(Exception):
    """What a watcher raises."""


def fail(*_: object, **__: object) -> NoReturn:
    raise Broken


class BrokenHandler(logging.Handler):
    """Raises for each record; the base class would catch only what `emit` hands to it."""

    def __init__(self) -> None:
        super().__init__()
        self.loggers: set[str] = set()

    def handle(self, record: logging.LogRecord) -> bool:
        self.loggers.add(record.name)
        raise Broken


@contextmanager
def broken_logs() -> Iterator[BrokenHandler]:
    logger, handler = logging.getLogger("leeward"), BrokenHandler()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield handler
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)


def end_of(work: Callable[[], object]) -> str:
    """Return what a call gives, or what it raises."""
    try:
        found = work()
    except LeewardError as error:
        return f"{type(error).__name__} {getattr(error, 'ran', '')}"
    except ValueError as error:
        return repr(error)
    return str(getattr(found, "promise", None) or getattr(found, "value", found))


def _moved(_: Path) -> str:
    with Client([Scripted("a", NOT_SENT), Scripted("b", OK)], clock=FakeClock()) as client:
        client.listen(fail)
        return end_of(lambda: client.invoke("f", 1))


def _unknown(_: Path) -> str:
    with Client(Scripted("a", AMBIGUOUS), clock=FakeClock()) as client:
        return end_of(lambda: client.invoke("f", 1))


def _kept(path: Path) -> str:
    path.chmod(0o700)
    down = FaultyDriver(Local("local:down"))
    down.fail(Fault.REFUSE, times=99)
    spool = SpoolConfig(path=str(path / f"{time.monotonic_ns()}.sqlite3"), max_events=1)
    config = Config(buses={"orders": BusConfig(on_all_down="spool")}, spool=spool)
    with Client(down, config=config) as client:
        ends = [end_of(lambda: client.publish_event("orders", "paid")) for _ in range(2)]
        (entry,) = client.publish_events("orders", [Event("paid")]).entries
    return f"{ends} {type(entry.error).__name__}"


def _recorded(_: Path) -> str:
    """Fail in an idempotent handler, and settle it."""
    app = App("shop")

    @app.function(effect="keyed")
    @idempotent(table="keys", key=None, principal=None, name="f")
    def f(id: str) -> None:
        raise ValueError(id)

    with Client(Local("local:keys"), app=app) as client:
        ends = [end_of(lambda: client.invoke("f", "1", idempotency_key="k")) for _ in range(2)]
        settled = client.settle("k", function="f", payload="1")
        return f"{ends} {settled.verdict} {settled.reason}"


def _handled(_: Path) -> str:
    app = App("shop")

    @app.function()
    def f(id: str) -> None:
        raise ValueError(id)

    host = Host(app, Platform("nimbus", None, FakeClock()))
    return str(host.run(app.handlers["f"], Delivery(b'"1"', "id", "", 5.0)).failure)


def _delivered(_: Path) -> str:
    """Fail for a message until it is a dead letter, and go on with the next one."""
    app, seen = App("shop"), list[str]()

    @app.function(retries=[0.01, 0.01])
    def f(id: str) -> None:
        seen.append(id)
        if id == "1":
            raise ValueError

    cloud = Local("local:queue")
    with Client(cloud, app=app) as client:
        for number in ("1", "2"):
            client.enqueue("f", number, effect="idempotent")
        until = time.monotonic() + PATIENCE
        while not (cloud.dead_letters() and "2" in seen) and time.monotonic() < until:
            time.sleep(0.01)
        return f"{sorted(seen)} {len(cloud.dead_letters())}"


PATHS: Final[dict[str, Callable[[Path], str]]] = {
    "a call that moves": _moved,
    "a call that ends as unknown": _unknown,
    "an event that is kept, and one that is not": _kept,
    "a key that is recorded and settled": _recorded,
    "a handler that fails": _handled,
    "a message that fails": _delivered,
}


def test_a_log_handler_that_raises_changes_no_outcome(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """Of any call or delivery; each path has logged something."""
    seen: set[str] = set()
    for name, path in PATHS.items():
        with subtests.test(name):
            expected = path(tmp_path)
            with broken_logs() as handler:
                assert path(tmp_path) == expected
            assert handler.loggers, "nothing was logged, so nothing was tried"
            seen |= handler.loggers
    loggers = ("routing", "spool", "idempotency", "app", "delivery")
    assert {f"leeward.{logger}" for logger in loggers} <= seen


def test_leeward_logs_through_one_function() -> None:
    """Which nobody's handler can make raise. A command, and a handler's own logger, are another."""
    allowed = {"app/context.py", "app/telemetry.py", "testing/logs.py", "logs.py"}
    found = {
        path.relative_to(root).as_posix()
        for root in [ROOT / "src/leeward", *ROOT.glob("adapters/*/src/*")]
        for path in root.rglob("*.py")
        if "getLogger(" in path.read_text(encoding="utf-8") and "cli" not in path.parts
    }
    assert found == allowed


class BrokenProcessor:
    """A span processor that raises, when a span begins or when it ends."""

    def __init__(self, *, start: bool) -> None:
        self._start = start

    def on_start(self, span: object, parent_context: object = None) -> None:
        if self._start:
            raise Broken

    def on_end(self, span: object) -> None:
        if not self._start:
            raise Broken

    def _on_ending(self, span: object) -> None: ...

    def shutdown(self) -> None: ...


FLAWS: Final = ("a span begins", "a span ends", "an attribute", "a metric", "an instrument")


@pytest.mark.vendors
@pytest.mark.parametrize("flaw", FLAWS)
def test_an_sdk_that_raises_changes_no_outcome(monkeypatch: pytest.MonkeyPatch, flaw: str) -> None:
    """Neither of a call nor of a handler: what it gives, what it raises, or how often it runs."""
    from opentelemetry.sdk.metrics import Counter, Histogram, Meter
    from opentelemetry.sdk.trace import Span

    collected = Collected(monkeypatch)
    monkeypatch.setattr(collected._tracers, "force_flush", fail)
    if flaw in ("a span begins", "a span ends"):
        collected._tracers.add_span_processor(BrokenProcessor(start=flaw == "a span begins"))  # type: ignore[arg-type]
    if flaw == "an attribute":
        monkeypatch.setattr(Span, "set_attribute", fail)
        monkeypatch.setattr(Span, "set_attributes", fail)
        monkeypatch.setattr(Span, "add_event", fail)
    if flaw == "a metric":
        monkeypatch.setattr(Counter, "add", fail)
        monkeypatch.setattr(Histogram, "record", fail)
    ran: list[str] = []
    app = App("shop", otel=True)

    @app.function()
    def f(id: str) -> str:
        ran.append(id)
        if id == "fails":
            raise ValueError
        return id

    def call(*, otel: bool) -> list[str]:
        driver = Scripted("a", OK, AMBIGUOUS)
        with Client(driver, clock=FakeClock(), otel=otel) as client:
            return [end_of(lambda: client.invoke("g", 1)) for _ in range(2)]

    assert call(otel=True) == call(otel=False) == ["None", "OutcomeUnknown "]
    if flaw == "an instrument":
        monkeypatch.setattr(Meter, "create_counter", fail)
    platform = Platform("nimbus", "north", FakeClock(), flush=True)
    for id, error in (("goes", None), ("fails", "ValueError")):
        told = answer(app.handlers["f"], Delivery(f'"{id}"'.encode(), "id", "", 5.0), platform)
        assert (told.failure.type if told.failure else None) == error
    assert ran == ["goes", "fails"]


def test_what_asks_a_thread_to_end_goes_on() -> None:
    """An interrupt and an exit are no word of a watcher's; nor is what a signal has raised."""
    for kind in (KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.raises(kind), only_watching():
            raise kind

    class Late(Exception):
        """What the handler of an alarm raises."""

    def ring(*_: object) -> None:
        raise Late

    class Ringing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            signal.raise_signal(signal.SIGUSR1)

    before, handler = signal.signal(signal.SIGUSR1, ring), Ringing()
    logging.getLogger("leeward").addHandler(handler)
    try:
        with pytest.raises(Late):
            log_event("leeward.routing", "error", "tried")
    finally:
        logging.getLogger("leeward").removeHandler(handler)
        signal.signal(signal.SIGUSR1, before)


def test_what_a_watcher_raises_is_reported_once() -> None:
    """To whoever can say it; never to the call."""
    told: list[Exception] = []
    for work in (fail, dict):
        with only_watching(told.append):
            work()
    assert [type(each) for each in told] == [Broken]
