from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leeward.calls import (
    Enqueue,
    Invoke,
    Key,
    ListItems,
    Page,
    Publish,
    Result,
    Store,
    Stored,
)
from leeward.values import Effect
from tests.cli.conftest import Leeward
from tests.cli.provider import Script
from tests.scripted import OK

Scripting = Callable[..., Script]


@pytest.mark.parametrize(("verb", "kind"), [("invoke", Invoke), ("enqueue", Enqueue)])
def test_a_function_call_has_every_option(
    leeward: Leeward, scripted: Scripting, verb: str, kind: type[Invoke | Enqueue]
) -> None:
    """The payload, the effect, the key and the deadline of the command line reach the target."""
    script = scripted()
    options = ("--effect", "keyed", "--idempotency-key", "k-1", "--timeout", "7")
    done = leeward(verb, "send-receipt", '{"order": 4.5}', *options)
    assert done.code == 0
    assert isinstance(script.call, kind)
    assert script.call._replace(sent=0.0) == kind(
        "send-receipt", b'{"order":4.5}', "k-1", Effect.KEYED
    )
    assert 0 < script.timeout <= 7


def test_an_absent_payload_is_none(leeward: Leeward, scripted: Scripting) -> None:
    """A function without a payload is called with null."""
    script = scripted()
    leeward("invoke", "f")
    assert script.call.payload == b"null"


def test_an_event_has_every_option(leeward: Leeward, scripted: Scripting) -> None:
    """Subject, id, time and ordering key reach the target."""
    script = scripted(Result.ok((OK,)))
    done = leeward(
        *("publish", "orders", "order.created", '{"id": "42"}', "--subject", "42", "--id", "e-1"),
        *("--time", "2026-01-31T12:00:00Z", "--ordering-key", "c1", "--timeout", "3"),
    )
    assert done.code == 0
    assert isinstance(script.call, Publish)
    (event,) = script.call.events
    assert (event.type, event.data, event.subject) == ("order.created", {"id": "42"}, "42")
    assert (event.id, event.ordering_key) == ("e-1", "c1")
    assert event.time == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert 0 < script.timeout <= 3


@pytest.mark.parametrize(
    ("option", "field", "value"),
    [
        (("--if-absent",), "if_absent", True),
        (("--if-revision", "r1"), "if_revision", "r1"),
    ],
)
def test_a_write_has_its_conditions(
    leeward: Leeward, scripted: Scripting, option: tuple[str, ...], field: str, value: object
) -> None:
    """Each condition reaches the target."""
    script = scripted(Result.ok("r2"))
    assert leeward("store", "orders", '{"id": "42"}', *option).code == 0
    assert getattr(script.call, field) == value


def test_a_write_has_its_expiry_and_deadline(leeward: Leeward, scripted: Scripting) -> None:
    """The seconds until it expires count from now."""
    script = scripted(Result.ok("r2"))
    assert leeward("store", "t", '{"id": "1"}', "--expires-in", "60", "--timeout", "4").code == 0
    assert isinstance(script.call, Store)
    assert script.call.expires_at == script.call.now + 60
    assert 0 < script.timeout <= 4


def test_a_stored_fraction_stays_exact(leeward: Leeward, scripted: Scripting) -> None:
    """9.90 on the command line is the Decimal 9.90; a whole number is an int."""
    script = scripted(Result.ok("r2"))
    leeward("store", "t", '{"id": "1", "total": 9.90, "count": 3}')
    assert repr(script.call.item["total"]) == repr(Decimal("9.90"))
    assert type(script.call.item["count"]) is int


@pytest.mark.parametrize("verb", ["load", "delete"])
@pytest.mark.parametrize(
    "words", [("customer=c1", "order=4=2"), ('{"customer": "c1", "order": "4=2"}',)]
)
def test_a_key_of_two_fields(
    leeward: Leeward, scripted: Scripting, bare: Path, verb: str, words: tuple[str, ...]
) -> None:
    """It is given as words or as JSON; only the first equals sign of a word separates."""
    (bare / "leeward.toml").write_text('[tables.orders]\nkey = ["customer", "order"]\n')
    script = scripted()
    leeward(verb, "orders", *words)
    assert script.call.key == Key(("customer", "order"), ("c1", "4=2"))


def test_one_word_is_the_key_itself(leeward: Leeward, scripted: Scripting) -> None:
    """A key may hold an equals sign."""
    script = scripted()
    leeward("load", "orders", "a=b")
    assert script.call.key == Key(("id",), ("a=b",))


def test_a_list_has_every_option(leeward: Leeward, scripted: Scripting, bare: Path) -> None:
    """Bounds, direction, limit and deadline reach the target; the next page has what is left."""
    (bare / "leeward.toml").write_text('[tables.orders]\nkey = ["customer", "order"]\n')
    item = {"customer": "c1", "order": "2026-05-02"}
    script = scripted(
        Result.ok(Page((Stored(item, "r"),), "own")), Result.ok(Page((Stored(item, "r"),), "last"))
    )
    options = ("--begins", "2026-", "--after", "2026-01", "--before", "2026-07", "--descending")
    done = leeward("list", "orders", "c1", *options, "--limit", "2", "--timeout", "3")
    assert done.code == 0
    first = ListItems("orders", ("customer", "order"), "c1", "2026-01", True, "2026-07", True, 2)
    assert script.driver is not None
    assert script.driver.calls == [first, first._replace(limit=1, cursor="own")]
    assert all(0 < each <= 3 for each in script.driver.timeouts)
    assert done.out == '{"customer": "c1", "order": "2026-05-02"}\n' * 2
    cursor = done.err.rpartition("--cursor ")[2].strip()
    script = scripted(Result.ok(Page(())))
    leeward("list", "orders", "c1", *options, "--cursor", cursor)
    assert script.call.cursor == "last"


def test_the_object_of_a_list(leeward: Leeward, scripted: Scripting, bare: Path) -> None:
    """With ``--json`` there are the items, their revisions, and where the list goes on."""
    (bare / "leeward.toml").write_text('[tables.orders]\nkey = ["customer", "order"]\n')
    item = {"customer": "c1", "order": "1"}
    scripted(Result.ok(Page((Stored(item, "r", foreign=True),))))
    found = json.loads(leeward("list", "orders", "c1", "--json").out)
    assert found["items"] == [{"item": item, "revision": "r", "expires_at": None, "foreign": True}]
    assert (found["cursor"], found["target"], len(found["attempts"])) == (None, "scripted", 1)


def test_a_list_of_nothing_says_so(leeward: Leeward, scripted: Scripting, bare: Path) -> None:
    """Nothing on the standard output, and a word beside it."""
    (bare / "leeward.toml").write_text('[tables.orders]\nkey = ["customer", "order"]\n')
    scripted(Result.ok(Page(())))
    done = leeward("list", "orders", "c1")
    assert (done.code, done.out, done.err) == (0, "", "No items.\n")


def test_a_delete_has_its_condition(leeward: Leeward, scripted: Scripting) -> None:
    """The revision and the deadline reach the target."""
    script = scripted()
    assert leeward("delete", "orders", "42", "--if-revision", "r1", "--timeout", "2").code == 0
    assert script.call.if_revision == "r1"
    assert 0 < script.timeout <= 2


@pytest.mark.parametrize(
    ("answer", "args", "facts"),
    [
        (
            Result.ok({"a": [1, 2.5]}),
            ("invoke", "f", "--idempotency-key", "k"),
            {"value": {"a": [1, 2.5]}, "target": "scripted", "idempotency_key": "k"},
        ),
        (
            OK,
            ("enqueue", "f", "--idempotency-key", "k"),
            {"promise": "accepted", "target": "scripted", "idempotency_key": "k"},
        ),
        (
            Result.ok((OK,)),
            ("publish", "b", "t", "--id", "e"),
            {"promise": "published", "id": "e", "target": "scripted"},
        ),
        (
            Result.ok("r"),
            ("store", "t", '{"id": "1"}'),
            {"promise": "committed", "target": "scripted", "revision": "r", "resolved": False},
        ),
        (
            OK,
            ("delete", "t", "1"),
            {"promise": "committed", "target": "scripted", "revision": None, "resolved": False},
        ),
        (
            Result.ok(Stored({"id": "1"}, "r", foreign=True, expires_at=4e9)),
            ("load", "t", "1"),
            {
                "found": True,
                "item": {"id": "1"},
                "revision": "r",
                "target": "scripted",
                "expires_at": "2096-10-02T07:06:40+00:00",
                "maybe_stale": False,
                "foreign": True,
            },
        ),
    ],
)
def test_the_object_of_a_result(
    leeward: Leeward,
    scripted: Scripting,
    answer: Result[Any],
    args: tuple[str, ...],
    facts: dict[str, Any],
) -> None:
    """With ``--json`` a result is one object on one line, its attempts last."""
    scripted(answer)
    done = leeward(*args, "--json")
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    found = json.loads(done.out)
    (attempt,) = found.pop("attempts")
    assert found == facts
    assert (attempt["target"], attempt["outcome"]) == ("scripted", "ok")
    assert set(attempt) == {
        "target",
        "started",
        "duration",
        "outcome",
        "code",
        "request_id",
        "read_back",
        "reason",
        "call_id",
    }
