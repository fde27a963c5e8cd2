import json
import threading
from collections.abc import Callable
from decimal import Decimal
from threading import Event as Flag
from typing import Any

import pytest

import leeward
from leeward.app.app import App
from leeward.errors import ConfigError, Outcome
from leeward.json_text import DEEPEST
from leeward.local import Context, Local
from leeward_contract_tests.rows import each_row
from tests.local.calls import PATIENT, HandClock, enqueue, invoke, value_of


def test_the_context_is_handed_to_a_second_parameter(opened: Callable[..., Local]) -> None:
    """It tells the name, the key, the attempt, and the time that is left."""
    clock = HandClock()
    cloud = opened(clock=clock)
    contexts: list[Context] = []

    @cloud.function("f")
    def function(payload: object, context: Context) -> float:
        contexts.append(context)
        clock.sleep(10)
        return context.remaining()

    assert value_of(cloud.perform(invoke(), PATIENT)) == PATIENT - 10
    clock.sleep(PATIENT)
    context = contexts[0]
    assert (context.function, context.idempotency_key, context.attempt) == ("f", "key-1", 1)
    assert context.remaining() == 0.0


@pytest.mark.parametrize(
    ("function", "answer"),
    [
        pytest.param(lambda payload: payload, [1, 2], id="one parameter"),
        pytest.param(lambda payload, *more, option=3: len(more), 0, id="no second by position"),
        pytest.param(json.dumps, "[1, 2]", id="keywords"),
        pytest.param(max, 2, id="a built-in that does not tell"),
    ],
)
def test_a_function_with_one_parameter_gets_no_context(
    cloud: Local, function: Callable[..., Any], answer: object
) -> None:
    """Only a second positional parameter asks for it."""
    cloud.function("f")(function)
    assert value_of(cloud.perform(invoke("f", b"[1, 2]"), PATIENT)) == answer


def test_what_a_function_raises_is_reported(cloud: Local) -> None:
    """Class, text and its own stack lines, nothing of leeward's."""

    @cloud.function("f")
    def function(payload: object) -> None:
        raise KeyError("here")

    result = cloud.perform(invoke(), PATIENT)
    assert (result.outcome, result.reason) == (Outcome.APP_ERROR, None)
    assert result.fault is not None
    assert (result.fault.type, result.fault.message) == ("KeyError", "'here'")
    assert "test_functions.py" in result.fault.trace[0]
    assert not any(leeward.__path__[0] in line for line in result.fault.trace)
    assert isinstance(result.cause, KeyError)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_even_an_exit_is_the_functions_own_end(cloud: Local, error: BaseException) -> None:
    """SystemExit ends the call, not the process or the wait."""

    @cloud.function("f")
    def function(payload: object) -> None:
        raise error

    result = cloud.perform(invoke(), PATIENT)
    assert result.outcome is Outcome.APP_ERROR
    assert result.fault is not None
    assert result.fault.type == type(error).__name__


def circle() -> list[Any]:
    """Give a list that holds itself."""
    endless: list[Any] = []
    endless.append(endless)
    return endless


def nested(depth: int) -> Any:
    """Give lists inside each other."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


class Broken(dict[str, int]):
    """A value of somebody's class."""

    def items(self) -> Any:
        """Fail."""
        raise RuntimeError


@each_row(
    "value, told",
    [
        (Broken(a=1), "its answer raised RuntimeError"),
        (object(), "answer is a object"),
        ({"prices": [{"9.90"}]}, "answer['prices'][0] is a set"),
        (float("nan"), "not finite"),
        (Decimal("nan"), "answer is a Decimal"),
        ({(1,): 2}, "a name of type tuple"),
        ({1: "a", "1": "b"}, "a name of type int"),
        (circle(), "contains itself"),
        (nested(DEEPEST + 1), "levels deep"),
        ("\ud800", "lone surrogate"),
    ],
)
def test_an_answer_that_is_not_json_is_refused(cloud: Local, value: object, told: str) -> None:
    """It is an error of the function, named by place and type and not by content."""
    cloud.function(told)(lambda _: value)
    result = cloud.perform(invoke(told), PATIENT)
    assert (result.outcome, result.reason) == (Outcome.APP_ERROR, "not_json")
    assert told in str(result.message)
    assert "9.90" not in str(result.message)


def test_an_answer_may_be_as_large_as_the_limit(cloud: Local) -> None:
    """6 MiB of JSON pass, one byte more does not."""
    limit = cloud.limits.payload_bytes
    assert limit == 6 * 1024 * 1024
    cloud.function("f")(lambda size: "x" * (size - 2))
    fits = cloud.perform(invoke("f", str(limit).encode()), PATIENT)
    assert len(value_of(fits)) == limit - 2
    result = cloud.perform(invoke("f", str(limit + 1).encode()), PATIENT)
    assert (result.outcome, result.reason) == (Outcome.APP_ERROR, "response_too_large")


def test_an_unknown_function_is_not_found(cloud: Local) -> None:
    """The message names the nearest one, else all; where there is none, how to have some."""
    for name, remedy in (
        ("f", '"module:app"'),
        ("f", "; known: send-receipt"),
        ("send_receipt", "; did you mean 'send-receipt'?"),
    ):
        for result in (cloud.perform(invoke(name), 5), cloud.perform(enqueue(name), 5)):
            assert result.outcome is Outcome.NOT_FOUND
            assert str(result.message).endswith(remedy)
        cloud.native("functions").setdefault("send-receipt", print)  # type: ignore[attr-defined]


def test_who_queues_for_a_handler_of_messages_is_told_its_queue(cloud: Local) -> None:
    """`leeward app` shows the name of the handler; what is queued has the name of the queue."""
    app = App("shop")
    app.on_message("parcels", name="send")(print)
    cloud.mount(app)
    said = str(cloud.perform(enqueue("send"), 5).message)
    assert said.endswith("; 'send' handles the queue 'parcels': name the queue")


@pytest.mark.parametrize("payload", [b"{", b"\xff", "[1]".encode("utf-16")])
def test_a_payload_that_is_not_json_is_the_callers_error(cloud: Local, payload: bytes) -> None:
    """It is refused before the function runs or is queued, without a word of the payload."""
    cloud.function("f")(print)
    for result in (cloud.perform(invoke("f", payload), 5), cloud.perform(enqueue("f", payload), 5)):
        assert result.outcome is Outcome.CALLER
        assert result.message == "the payload is not JSON in UTF-8"


def test_a_slow_function_is_ambiguous_and_still_finishes(cloud: Local) -> None:
    """When the time is up nobody can tell; the function goes on."""
    go, finished = Flag(), Flag()

    @cloud.function("f")
    def function(payload: object) -> None:
        assert go.wait(PATIENT)
        finished.set()

    result = cloud.perform(invoke(), 0.1)
    assert (result.outcome, result.reason) == (Outcome.AMBIGUOUS, "timeout")
    assert not finished.is_set()
    go.set()
    assert finished.wait(PATIENT)


def test_each_call_runs_on_a_daemon_thread_of_its_own(cloud: Local) -> None:
    """So a hung function blocks neither other calls nor the end of the process."""

    @cloud.function("f")
    def function(payload: object) -> list[object]:
        thread = threading.current_thread()
        return [thread.daemon, thread is threading.main_thread(), thread.name]

    assert value_of(cloud.perform(invoke(), PATIENT)) == [True, False, "leeward-invoke-f"]


def test_no_thread_to_be_had_is_local(cloud: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread starts nothing has run, and the result says so."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    cloud.function("f")(print)
    monkeypatch.setattr(threading.Thread, "start", start)
    assert cloud.perform(invoke(), 5).outcome is Outcome.LOCAL


def test_an_interrupt_amid_the_start_of_a_thread_is_not_taken_for_a_lack_of_threads(
    cloud: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function runs then: a result that says otherwise would make the call again."""
    start_in_python = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        start_in_python(thread)
        try:
            raise KeyboardInterrupt
        finally:
            threading.Lock().release()  # as Python does if it is struck before it has its lock

    cloud.function("f")(print)
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(KeyboardInterrupt):
        cloud.perform(invoke(), PATIENT)


def test_two_functions_of_one_name_are_refused(cloud: Local) -> None:
    """The message tells how to replace one on purpose."""
    cloud.function("f")(print)
    with pytest.raises(ConfigError, match=r'native\("functions"\)'):
        cloud.function("f")(len)


@pytest.mark.parametrize("name", ["", print, None])
def test_a_function_needs_a_name(cloud: Local, name: Any) -> None:
    """A decorator without its parentheses is noticed at once."""
    with pytest.raises(ConfigError, match=r"@cloud\.function"):
        cloud.function(name)


def test_what_cannot_be_called_is_refused(cloud: Local) -> None:
    """So are coroutine functions, which nothing here would run."""

    async def later(payload: object) -> None:
        raise NotImplementedError

    with pytest.raises(ConfigError, match="callable"):
        cloud.function("f")("sys.exit")  # type: ignore[type-var]
    with pytest.raises(ConfigError, match=r"asyncio\.run"):
        cloud.function("f")(later)


def test_the_registry_may_be_changed(cloud: Local) -> None:
    """A test puts a double in the place of a function."""
    cloud.function("f")(lambda _: "real")
    registry = cloud.native("functions")
    assert isinstance(registry, dict)
    registry["f"] = lambda _: "double"
    assert value_of(cloud.perform(invoke(), PATIENT)) == "double"
