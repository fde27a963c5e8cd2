"""Every argument of every method, given what is no sound value: a named refusal, or it works."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from inspect import signature
from math import inf, nan
from typing import Any, Final

import pytest

from leeward import Client, InvalidRequest, LeewardError
from leeward.app import App, Problem
from leeward.config import Config
from leeward.errors import FunctionError, OutcomeUnknown, TargetUnusable
from leeward.local import Local
from leeward.workflow import Flow, Ref, workflow

ODD: Final[tuple[Any, ...]] = (
    *(nan, inf, -inf, -1, -1e-9, 0, 1e-9, 5e-324, 10**400, -(10**400), 2**63, 1e308, 1 + 2j),
    *(True, False, None, timedelta.max, timedelta(seconds=-1), [], ["a"], {}, {"a": 1}, object()),
    *("", " ", "5", b"5", "half \ud800", "\0", "a\nb", "x" * 70_000, "..", "a/b"),
)

SOUND: Final[dict[str, dict[str, Any]]] = {
    "invoke": {"function": "f", "payload": 1},
    "enqueue": {"function": "f", "payload": 1},
    "settle": {"error_or_key": "k", "function": "f", "sent": 1.0},
    "publish_event": {"bus": "b", "type": "t", "data": 1},
    "publish_events": {"bus": "b", "events": []},
    "store_data": {"table": "t", "item": {"id": "1"}},
    "load_data": {"table": "t", "key": "1"},
    "delete_data": {"table": "t", "key": "1"},
    "list_data": {"table": "t", "partition": "1"},
    "put_object": {"bucket": "b", "name": "n", "data": b"x"},
    "get_object": {"bucket": "b", "name": "n"},
    "head_object": {"bucket": "b", "name": "n"},
    "list_objects": {"bucket": "b"},
    "delete_object": {"bucket": "b", "name": "n"},
    "start_workflow": {"workflow": "odd", "value": 1, "id": "i"},
    "get_run": {"workflow": "odd", "id": "i"},
    "list_runs": {},
    "wait_for_run": {"workflow": "odd", "id": "i", "timeout": 0},
    "cancel_run": {"workflow": "odd", "id": "i"},
    "abort_run": {"workflow": "odd", "id": "i"},
    "explain": {"call_id": 1},
    "isolate": {"target": "other"},
    "restore": {"target": "local"},
    "probe": {"target": "local"},
    "native": {"target": "local", "service": "x"},
}


@workflow("odd", timeout="1h")
def odd(w: Flow, value: Ref) -> None:
    """One step."""
    w.step("f", value)


@pytest.fixture
def client() -> Iterator[Client]:
    """A client of a function, a workflow, and nothing else."""
    local = Local()
    local.function("f")(lambda payload: payload)
    with Client(local, workflows=[odd], config=Config()) as client:
        yield client


@pytest.mark.parametrize("verb", SOUND)
def test_no_odd_argument_is_an_error_of_another_kind(client: Client, verb: str) -> None:
    """Nothing of Python's or of a store's own, no wait, and nothing that nobody knows."""
    method, sound = getattr(client, verb), SOUND[verb]
    flaws: list[object] = []
    for name in signature(method).parameters.keys() - {"payload", "data", "item", "value"}:
        for value in ODD:
            began = time.monotonic()
            try:
                method(**(sound | {name: value}))
            except (OutcomeUnknown, TargetUnusable) as error:
                flaws.append((name, repr(value)[:20], error))
            except (LeewardError, TimeoutError):
                pass
            except Exception as error:  # noqa: BLE001 - each is a flaw
                flaws.append((name, repr(value)[:20], error))
            if time.monotonic() - began > 10:
                flaws.append((name, repr(value)[:20], "slow"))
    assert flaws == []


@pytest.mark.parametrize("seconds", [1e-9, 1e-6])
def test_a_deadline_that_is_over_is_no_effect(client: Client, seconds: float) -> None:
    """A function that stands by itself has not begun either."""
    try:
        client.invoke("f", 1, timeout=seconds)
    except FunctionError as error:
        assert error.ran == "no"  # noqa: PT017 - it may also be unknown, where the thread was slow
    except OutcomeUnknown:
        pass


@pytest.mark.parametrize("seconds", [nan, -1, True, "5"])
def test_a_client_is_closed_for_a_number_of_seconds(client: Client, seconds: Any) -> None:
    """It says so before anything is closed; and however long the time is, it can be waited for."""
    client.start_workflow("odd", 1, id="i")
    with pytest.raises(InvalidRequest, match="timeout must be a number of seconds, at least 0"):
        client.close(seconds)
    assert client.wait_for_run("odd", "i").id == "i"
    client.close(10**400)


def test_a_wait_beyond_all_numbers_is_none() -> None:
    """What a handler raises reaches its caller."""
    app = App("odd")

    @app.function()
    def refuse() -> None:
        raise Problem("come back", status=429, reason="busy", retry_after=10**400)

    with Client("local", app=app, config=Config()) as client:
        with pytest.raises(FunctionError) as raised:
            client.invoke("refuse")
        assert (raised.value.error_message, raised.value.retry_after) == ("come back", None)
