"""What comes out of a driver, as a result."""

from __future__ import annotations

from typing import Any

import pytest

from leeward._routing.execution import result_of
from leeward.calls import (
    Call,
    Delete,
    Enqueue,
    Invoke,
    Key,
    ListItems,
    Load,
    Page,
    Publish,
    Result,
    Scan,
    Store,
    Stored,
)
from leeward.errors import Outcome, Unsupported
from tests.scripted import CALLER, OK

KEY = Key(("id",), ("1",))
INVOKE = Invoke("f", b"{}", "key-1")
STORE = Store("t", KEY, {}, "w-1", 0.0)
PUBLISH = Publish("bus", ())


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (INVOKE, {"any": "thing"}),
        (INVOKE, None),
        (Enqueue("f", b"{}", "key-1"), None),
        (STORE, "r-1"),
        (Load("t", KEY), None),
        (Load("t", KEY), Stored({}, "r-1")),
        (Delete("t", KEY, 0.0), None),
        (Scan("t"), Page(())),
        (ListItems("t", ("p", "s"), "1"), Page(())),
        (PUBLISH, ()),
        (PUBLISH, (OK, CALLER)),
    ],
)
def test_what_a_call_gives_is_passed_on(call: Call, value: object) -> None:
    """A result with a value of the right kind is the result."""
    answer = Result.ok(value)
    assert result_of(call, answer) is answer


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (INVOKE, None),
        (INVOKE, "ok"),
        (INVOKE, Result("ok")),  # type: ignore[arg-type]
        (STORE, Result.ok(None)),
        (Load("t", KEY), Result.ok({})),
        (Scan("t"), Result.ok(())),
        (ListItems("t", ("p", "s"), "1"), Result.ok(None)),
        (PUBLISH, Result.ok(None)),
        (PUBLISH, Result.ok((OK, None))),
        (PUBLISH, Result.ok((Result("ok"),))),  # type: ignore[arg-type]
    ],
)
def test_anything_else_proves_nothing(call: Call, answer: object) -> None:
    """What is not an answer to the call is an unknown outcome."""
    result = result_of(call, answer)
    assert (result.outcome, result.code) == (Outcome.AMBIGUOUS, "bad_result")


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (Unsupported("no"), (Outcome.CALLER, None, "no")),
        (ValueError("secret"), (Outcome.AMBIGUOUS, "ValueError", None)),
    ],
)
def test_what_was_raised(raised: Exception, expected: tuple[Any, ...]) -> None:
    """What leeward raises keeps its meaning; anything else may have run. Its text is not shown."""
    result = result_of(INVOKE, raised)
    assert (result.outcome, result.code, result.message) == expected
    assert result.cause is raised
