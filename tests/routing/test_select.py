"""Which targets may serve a call."""

from __future__ import annotations

import pytest

from leeward._routing.outcomes import rules_of
from leeward._routing.targets import Targets, candidates, home_of
from leeward.calls import Call, Delete, Enqueue, Invoke, Key, ListItems, Load, Publish, Scan, Store
from leeward.errors import ConfigError
from leeward.values import Effect

KEY = Key(("id",), ("1",))
ORDER = Targets(("a", "b", "c"), home="b", homes={"invoices": "c"})
KEYED = Invoke("f", b"{}", "key-1", Effect.KEYED)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (Invoke("f", b"{}", "key-1"), "abc"),
        (Enqueue("f", b"{}", "key-1"), "abc"),
        (Publish("bus", ()), "abc"),
        (KEYED, "a"),
        (Enqueue("f", b"{}", "key-1", Effect.KEYED), "a"),
        (KEYED._replace(shared_dedup=True), "abc"),
        (Store("orders", KEY, {}, "w-1", 0.0), "b"),
        (Load("orders", KEY), "b"),
        (Delete("invoices", KEY, 0.0), "c"),
        (Scan("invoices"), "c"),
        (ListItems("invoices", ("p", "s"), "1"), "c"),
    ],
)
def test_who_may_serve(call: Call, expected: str) -> None:
    """The whole order; the first target, for a key that only one knows; the home of a table."""
    assert "".join(candidates(ORDER, call, rules_of(call))) == expected


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (Targets(("a", "b")), r"'orders' has no home.*\(a, b\).*LEEWARD_DATA_TARGET"),
        (Targets(("a", "b"), "z"), r"home of table 'orders' is 'z', which is not in the order"),
        (Targets(("a", "b"), "a", {"orders": "z"}), "is 'z', which is not in the order"),
    ],
)
def test_a_table_without_a_home_is_refused(targets: Targets, message: str) -> None:
    """Nothing is guessed: the message names the table, the order and the remedy."""
    with pytest.raises(ConfigError, match=message):
        home_of(targets, "orders")
