"""One run of a handler: what it is given, and what becomes of what it returns or raises."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from leeward import App, AsyncClient, Client, Context, Event
from leeward.app import InvalidInput, Message, Problem, current
from leeward.app.answers import Answer
from leeward.app.context import call_within
from leeward.app.handlers import answer, log_failure
from leeward.app.host import Host
from leeward.app.triggers import Delivery, Input, Platform
from leeward.errors import (
    ConfigError,
    FunctionError,
    InvalidRequest,
    OutcomeUnknown,
    Overloaded,
    Throttled,
)
from leeward.local import Local
from leeward.testing import FakeClock, recorded_logs
from leeward.watching import RUNNING, UNWATCHED, watched_by
from leeward_contract_tests.rows import each_row
from tests.house.workspace import ROOT
from tests.scripted import Scripted

CANARY = "canary-8e03"


@dataclass
class Priced:
    lines: list[Any]


@dataclass
class Order:
    id: str
    qty: int = 1


def run(function: Callable[..., Any], given: Input = b"null", **options: Any) -> Answer:
    """Run a function of an app once."""
    app = App("tests")
    known = {name: options.pop(name) for name in ("timeout", "final") if name in options}
    app.function(name="f", **known)(function)
    app.check()
    return answer(app.handlers["f"], delivery(given, **options), platform())


def delivery(given: Input = b"null", **options: Any) -> Delivery:
    """Make a delivery with all that a platform may know."""
    return Delivery(
        **{"input": given, "call_id": "id", "idempotency_key": "key", "seconds": 5.0, **options}
    )


def platform(limit: int | None = None) -> Platform:
    """Make a platform whose clock stands still."""
    return Platform("nimbus", "north", FakeClock(), limit)


def giving(value: object) -> Callable[[], object]:
    """Make a function that returns `value`."""
    return lambda: value


def raising(error: BaseException) -> Callable[[], None]:
    """Make a function that raises `error`."""

    def function() -> None:
        raise error

    return function


def told(found: Answer) -> dict[str, Any]:
    """Read what an answer tells of a failure."""
    assert found.failure is not None
    document: dict[str, Any] = json.loads(found.body)
    return document


def test_a_handler_is_given_its_input_and_its_context() -> None:
    """Each field is what the platform knows, and `current` is the same context."""
    seen: list[Any] = []

    def function(order: Order, context: Context) -> Order:
        assert current() is context
        context.logger.debug("x")
        seen.append(context)
        return Order(order.id, context.clock is not None)

    found = run(function, b'{"id": "42"}', attempt=3, trace="00-a-b-01", headers={"a": "b"})
    assert (found.body, found.failure, found.status) == (b'{"id":"42","qty":true}', None, 200)
    expected = {
        "function": "f", "idempotency_key": "key", "attempt": 3, "deadline": 5.0,
        "call_id": "id", "provider": "nimbus", "region": "north", "trace": "00-a-b-01",
        "headers": {"a": "b"}, "payload": {"id": "42"}, "effects": 0, "dedup": None,
        "guard": None, "did_nothing": False, "word": None,
        "runs": [], "last_run": None,
        "cold_start": True, "principal": None, "voids": 0,
    }  # fmt: skip
    (context,) = seen
    assert {name: getattr(context, name) for name in expected} == expected
    assert (context.wire[0], context.wire[1].input) == (function, b'{"id": "42"}')
    assert current() is None


def test_handlers_take_none_one_or_two_parameters() -> None:
    """A third with a default is the function's own affair; one without is refused early."""
    table: list[tuple[Callable[..., Any], bytes]] = [
        (lambda: 1, b"1"),
        (lambda given: given, b"[2]"),
        (lambda given, context: context.function, b'"f"'),
        (lambda given, context, own=3: own, b"3"),
        (max, b"2"),
    ]
    for function, body in table:
        assert run(function, b"[2]").body == body
    for wrong in (lambda a, b, c: 1, lambda a, *, c: 1):
        with pytest.raises(ConfigError, match="'c' besides its input and its context"):
            run(wrong)

    found = run(lambda: (each for each in "ab"))
    assert found.failure is not None
    assert found.failure.type == "ConfigError", "a generator that another decorator returns"

    def context_alone(context: Context) -> None: ...

    with pytest.raises(ConfigError, match="takes its context second"):
        run(context_alone)


def test_a_coroutine_is_awaited_on_the_one_loop() -> None:
    """Its context goes along, the loop outlives the call, and many run at once."""
    loops: list[Any] = []
    both = threading.Barrier(2)

    async def function(given: None) -> str:
        loops.append(asyncio.get_running_loop())
        await asyncio.to_thread(both.wait, 10)
        context = current()
        assert context is not None
        return context.idempotency_key

    found: list[Answer] = []
    threads = [
        threading.Thread(target=lambda key=key: found.append(run(function, idempotency_key=key)))
        for key in ("a", "b")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {each.body for each in found} == {b'"a"', b'"b"'}
    assert loops[0] is loops[1]


def test_a_coroutine_that_ends_the_program_or_its_loop_ends_itself_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It has failed, or has its answer; those that come after it have theirs. It is logged."""

    async def leaves(given: None) -> None:
        sys.exit(3)

    async def stops(given: None) -> int:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0)
        return 1

    async def stays(given: None) -> int:
        return 2

    answers: list[Answer] = []
    functions: list[Callable[..., Any]] = [leaves, stops, stays]
    thread = threading.Thread(
        target=lambda: answers.extend(run(each) for each in functions), daemon=True
    )
    thread.start()
    thread.join(10)
    assert [each.failure and each.failure.type for each in answers] == ["SystemExit", None, None]
    assert [each.body for each in answers[1:]] == [b"1", b"2"]
    assert "loop_restarted error='SystemExit'" in caplog.text


def test_plain_functions_load_no_asyncio() -> None:
    """Neither the app, nor a call of it, nor a client in the same process."""
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r})\n"
        "from leeward import App, Client\n"
        "app = App('quiet')\n"
        "@app.function()\n"
        "def f(given: dict): return given\n"
        "with Client('local', app=app, config=None) as client: client.invoke('f', {})\n"
        "print([name for name in ('asyncio', 'logging', 'ssl') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_errors_are_retryable_or_final() -> None:
    """A `Problem` says so, leeward's own errors are known, the handler declares its own."""
    table: list[tuple[BaseException, int, str | None, bool]] = [
        (ValueError(CANARY), 500, None, True),
        (SystemExit(CANARY), 500, None, True),
        (KeyError(CANARY), 500, None, False),
        (Problem("sold out", reason="sold_out"), 422, "sold out", False),
        (Problem("busy", status=503), 503, "busy", True),
        (Problem("here", status=409, retryable=False), 409, "here", False),
        (InvalidInput("$.a", "int"), 400, "$.a must be int", False),
        (Throttled(CANARY, retry_after=2.0), 500, None, True),
        (OutcomeUnknown(CANARY), 500, None, False),
        (InvalidRequest(CANARY), 500, None, False),
    ]
    for error, status, message, retryable in table:
        found = run(raising(error), final=[LookupError])
        document = told(found)
        assert found.status == status
        assert (document["errorType"], document.get("errorMessage"), document["retryable"]) == (
            type(error).__name__,
            message,
            retryable,
        )
        assert CANARY.encode() not in found.body
        assert CANARY not in repr(found)


class Bare(Problem):
    def __init__(self) -> None:
        """Forget the rest."""


def test_whatever_a_problem_holds_there_is_an_answer() -> None:
    """What cannot be sent is left out, or replaced; the failure is told all the same."""
    odd: Any = ValueError(CANARY)
    table: list[tuple[Problem, dict[str, Any]]] = [
        (Problem("\ud800", reason="a\udfff"), {"errorMessage": "?", "reason": "a?"}),
        (Problem(odd, reason=odd, retry_after=odd), {}),
        (Problem("wait", retry_after=float("inf")), {"errorMessage": "wait"}),
        (Bare(), {"errorMessage": ""}),
    ]
    for problem, expected in table:
        found = run(raising(problem))
        document = told(found)
        assert (document.pop("errorType"), document.pop("ran")) == (type(problem).__name__, "maybe")
        assert document == {"retryable": False, **expected}
        assert "retry-after" not in dict(found.headers())


def test_an_answer_is_marked_and_says_when_to_come_again() -> None:
    """On success and on failure alike; what is said of repeated keys is there, too."""

    def function(given: str, context: Context) -> None:
        context.dedup = "group"
        if given:
            raise Problem("busy", status=503, retry_after=0.2)

    headers = [dict(run(function, given).headers()) for given in (b'""', b'"x"')]
    same = {"content-type": "application/json", "x-leeward": "1", "x-leeward-dedup": "group"}
    assert headers == [same, {**same, "retry-after": "1"}]


def test_what_an_answer_says_of_keys() -> None:
    """What the handler says, else what its author has declared; nothing of any other handler."""

    def told_by(word: str | None, effect: str) -> str | None:
        app = App("tests")

        @app.function(name="f", effect=effect)  # type: ignore[arg-type]
        def function(given: Any, context: Context) -> None:
            context.dedup = word

        return answer(app.handlers["f"], delivery(), platform()).dedup

    assert told_by(None, "unsafe") is None
    assert told_by(None, "idempotent") is None
    assert told_by(None, "keyed") == "target"
    for word in ("target", "group", "none"):
        assert [told_by(word, effect) for effect in ("unsafe", "keyed")] == [word] * 2


def test_whether_it_ran_is_told() -> None:
    """`no` on proof alone: that a handler has announced no effect does not say that it had none."""

    def function(effects: int, context: Context) -> Any:
        for _ in range(effects):
            context.effect()
        if effects > 1:
            return {1, 2}
        raise OSError

    found = [run(function, given) for given in (b'"x"', b"0", b"1", b"2")]
    assert [told(each)["ran"] for each in found] == ["no", "maybe", "maybe", "yes"]
    sure: Any = Problem("sold out")  # whoever raises it may have made it for a call of its own
    sure.ran = "no"
    for error in (
        sure,
        Problem("sold out"),
        Throttled("x"),
        OutcomeUnknown("x"),
        OutcomeUnknown("x", executed=True),
    ):
        assert told(run(raising(error)))["ran"] == "maybe"


def test_without_time_nothing_begins() -> None:
    """The platform's time, the caller's and the handler's own count, and the least of them."""
    calls: list[float] = []

    def function(given: object, context: Context) -> None:
        calls.append(context.remaining())
        context.check_deadline(needs=1)
        context.check_deadline(needs=4)

    run(function, timeout=2.0)
    assert run(function).failure is None
    assert calls == [2.0, 5.0]
    refused = run(function, seconds=0.0)
    assert (refused.status, told(refused)["reason"], told(refused)["ran"]) == (
        503,
        "deadline",
        "no",
    )
    late = run(function, timeout=2.0)
    assert (late.status, told(late)["reason"]) == (503, "deadline")
    assert len(calls) == 3


def test_an_answer_that_is_not_json_or_too_large_is_a_failure() -> None:
    """It is found before the platform does; place and class are named, and nothing of the value."""
    loop: list[Any] = []
    loop.append(loop)
    for value in ({1}, float("nan"), {1: 2}, loop, object(), {"x": b"x", "y": {CANARY: {1}}}):
        found = run(giving(value))
        assert (found.status, told(found)["reason"]) == (500, "not_json")
        assert CANARY.encode() not in found.body
    for value, place in (
        ({"price": Decimal("inf")}, "answer['price'] is a Decimal"),
        (Priced([1, {"paid": {1}}]), "answer['lines'][1]['paid'] is a set"),
        ({CANARY: [b"", object()]}, "answer[...][1] is a object"),
        (Priced([Priced([{(1,): 2}])]), "answer['lines'][0]['lines'][0] has a name of type tuple"),
    ):
        assert told(run(giving(value)))["errorMessage"].startswith(place)
    app = App("tests")
    app.function(name="f")(lambda: "x" * 100)
    found = answer(app.handlers["f"], delivery(), platform(limit=101))
    assert told(found)["reason"] == "response_too_large"
    assert told(found)["errorMessage"].startswith("the answer has 102 bytes, at most 101")
    assert answer(app.handlers["f"], delivery(), platform(limit=102)).failure is None


def test_an_input_that_is_not_json_is_refused() -> None:
    """As whatever else does not fit; an empty one is null."""
    for body in (b"{", b"\xff", b"NaN"):
        assert told(run(lambda given: given, body))["path"] == "$"
    assert run(lambda given: given, b"").body == b"null"


def test_events_messages_and_schedules_come_as_annotated() -> None:
    """The event itself or its data, the message or its JSON, the time."""
    app = App("tests")
    seen: list[Any] = []
    event = Event("order.created", {"id": "1"}, id="e", source="/s")
    message = Message("orders", "m", b'{"id": "2"}')

    @app.on_event("orders", "order.created")
    def whole(event: Event) -> None:
        seen.append(event)

    @app.on_event("orders")
    def data(order: Order) -> None:
        seen.append(order)

    @app.on_message("orders")
    def body(order: Order) -> None:
        seen.append(order)

    @app.on_message("raw", name="raw")
    def message_itself(message: Message) -> None:
        seen.append(message)

    app.check()
    for name, given in (("whole", event), ("data", event), ("body", message), ("raw", message)):
        found = answer(app.handlers[name], delivery(given), platform())
        assert found.failure is None
    assert seen == [event, Order("1"), Order("2"), message]
    broken = message._replace(body=b"\x00")
    assert answer(app.handlers["body"], delivery(broken), platform()).status == 400


def test_a_failure_is_logged_without_content(caplog: pytest.LogCaptureFixture) -> None:
    """Names, ids and classes; what may be tried again is a warning, the rest an error."""
    app = App("tests")

    @app.function(final=[KeyError])
    def failing(given: str) -> None:
        raise KeyError(CANARY) if given else ValueError(CANARY)

    handler = app.handlers["failing"]
    for given in (b'""', b'"x"'):
        each = delivery(given, headers={"x": CANARY})
        failure = answer(handler, each, platform()).failure
        assert failure is not None
        log_failure(handler, each, failure)
    facts = "function='failing' kind='call' call_id='id' attempt=None"
    at = f" at='{__file__}:{failing.__code__.co_firstlineno + 2} {failing.__qualname__}'"
    own = [each for each in caplog.records if each.name == "leeward.app"]
    assert [(each.name, each.levelno, each.getMessage()) for each in own] == [
        (
            "leeward.app",
            logging.WARNING,
            f"handler_failed {facts} error='ValueError' reason=None ran='maybe'{at}",
        ),
        (
            "leeward.app",
            logging.ERROR,
            f"handler_failed {facts} error='KeyError' reason=None ran='maybe'{at}",
        ),
    ]


def caused() -> None:
    """Raise an error with a cause, and content in each of its texts."""
    try:
        raise KeyError(CANARY)
    except KeyError as error:
        error.add_note(CANARY)
        raise ValueError(CANARY) from error


def grouped() -> None:
    """Raise several at once."""
    found: list[Exception] = []
    for work in (caused, lambda: json.loads(CANARY)):
        try:
            work()
        except ValueError as error:
            found.append(error)
    raise ExceptionGroup(CANARY, found)


class OwnError(ConfigError):
    """A user's own subclass."""


FAILURES: dict[str, tuple[Callable[[], object], str, str | None]] = {
    "a cause": (
        caused,
        r"at='[^,]*test_core.py:\d+ .*lambda>, .*caused' causes='KeyError at [^,]*",
        None,
    ),
    "a group": (grouped, r"causes='ValueError at .*JSONDecodeError at .*KeyError at", None),
    "leeward's own": (raising(ConfigError("set CLOUD_PROVIDER")), "", "set CLOUD_PROVIDER"),
    "of a call": (raising(Throttled("busy")), "", "busy"),
    "what quotes an argument": (raising(InvalidRequest(CANARY)), "raising.<locals>", None),
    "a subclass of the user's": (raising(OwnError(CANARY)), "", None),
    "deep in a library": (
        lambda: copy.deepcopy([[[[[threading.Lock()]]]]]),
        r"at='[^']*test_core.py:\d+ <lambda>, [^']*copy.py:\d+ deepcopy'$",
        None,
    ),
    "very deep": (lambda: json.loads("[" * 100_000), "RecursionError", None),
}  # fmt: skip


@pytest.mark.threat("S8")
@each_row("work, pattern, text", FAILURES)
def test_a_failure_says_where_it_comes_from(
    work: Callable[[], object], pattern: str, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """File, line and function of its places and of those behind it; a text of leeward's own."""
    app = App("tests")
    app.function(name="failing")(lambda _: work())
    each = delivery(f'"{CANARY}"'.encode())
    caplog.clear()
    failure = answer(app.handlers["failing"], each, platform()).failure
    assert failure is not None
    log_failure(app.handlers["failing"], each, failure)
    (logged,) = (each for each in caplog.records if each.name == "leeward.app")
    told = logged.getMessage()
    assert re.search(pattern, told), told
    assert isinstance(logged.args, dict)
    assert logged.args.get("text") == text
    assert logged.args["at"].count(", ") < 8
    assert CANARY not in str(vars(logged))


def test_a_call_in_a_handler_has_no_more_time_than_the_handler() -> None:
    """On threads and tasks; when that is over no function is called, and what was done is kept."""
    driver, clock = Scripted("a"), FakeClock()
    cloud, tasks = Client(driver), AsyncClient(driver)

    def function(given: object, context: Context) -> None:
        for _ in range(2):
            cloud.invoke("g", None)
            cloud.invoke("g", None, timeout=1.5)
            cloud.store_data("orders", {"id": "1"})
            clock.advance(4.9)
        with pytest.raises(Overloaded, match="no time left"):
            cloud.invoke("g", None)

    async def coroutine(given: object, context: Context) -> None:
        await tasks.invoke("g", None, effect="idempotent")
        await tasks.store_data("orders", {"id": "1"})
        clock.advance(5.0)
        with pytest.raises(Overloaded, match="no time left"):
            await tasks.invoke("g", None)

    for handler, seconds in (
        (function, [5.0, 1.5, 3.0, 0.1, 0.1, 0.6]),
        (coroutine, [4.5, 3.0]),
    ):
        app = App("tests")
        app.function(name="f")(handler)
        app.check()
        told = answer(app.handlers["f"], delivery(), Platform("nimbus", "north", clock))
        assert told.failure is None
        assert driver.timeouts == pytest.approx(seconds, abs=0.05)
        driver.timeouts.clear()
    cloud.invoke("g", None)
    assert driver.timeouts == [60.0]


def test_what_leeward_keeps_for_a_handler_is_not_cut_short_by_it() -> None:
    """Records of idempotency are written even when the handler's time is over."""
    context = Context("f", "key", 1, 0.0, FakeClock())
    driver = Scripted("a")
    store = partial(Client(driver).store_data, "records", {"id": "1"}, timeout=10.0)

    def kept() -> None:
        token = watched_by(UNWATCHED)
        store()
        RUNNING.reset(token)

    call_within(context, kept)
    call_within(context, store)
    assert driver.timeouts == pytest.approx([6.0, 0.6])


def test_an_error_whose_message_raises_is_a_failure_like_any_other() -> None:
    """A message that raises when it is read."""

    class Second(Problem):
        @property
        def message(self) -> str:
            raise ValueError(CANARY)

        @message.setter
        def message(self, text: str) -> None: ...

    def fail(payload: Any, context: Context) -> None:
        raise Second("text")

    app = App("shop")
    app.function(name="fail", final=[LookupError])(fail)
    delivery = Delivery(b"{}", "call", "key", 10.0)
    with recorded_logs() as logs:
        found = Host(app, Platform("nimbus", None, FakeClock())).run(app.handlers["fail"], delivery)
    assert found.failure is not None
    assert (found.failure.type, found.failure.ran) == ("Second", "maybe")
    assert CANARY not in f"{found.body!r}{logs}"
    with Client(Local(), app=app) as cloud, pytest.raises(FunctionError) as caught:
        cloud.invoke("fail", {})
    assert CANARY not in str(caught.value)
