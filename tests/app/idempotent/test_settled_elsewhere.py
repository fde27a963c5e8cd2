"""A function that recognises its keys on one target only is settled there, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from leeward import App, CallError, Client, Config, Context, Verdict
from leeward._delivery.functions import result_of
from leeward.adapter import Capability, Driver, Limits
from leeward.app import idempotent
from leeward.app.handlers import answer
from leeward.app.triggers import Delivery, Platform
from leeward.calls import Call, Invoke, Result, Settle
from leeward.config import FunctionConfig
from leeward.errors import Outcome
from leeward.local import Local
from leeward.testing import FakeClock
from leeward.values import Effect
from tests.registers import LONG, enter_register


class Place(Driver):
    """A target that runs the function, with a table of its own; it may be away, or lose answers."""

    def __init__(self, target: str, clock: FakeClock, charges: list[str], scope: Any) -> None:
        self.target = target
        self.capabilities = frozenset({Capability.INVOKE})
        self.limits = Limits()
        self.is_away = self.loses = False
        self.plan: list[str] = []
        self.calls: list[Call] = []
        self.table = Client(Local(f"local:keys-{target[-1]}", clock=clock), clock=clock)
        self.app = App("shop")
        self._clock = clock

        @self.app.function()
        @idempotent(
            table="keys", principal=None, name="pay", client=self.table, clock=clock,
            dedup_scope=scope,
        )  # fmt: skip
        def pay(order: str, context: Context) -> str:
            charges.append(f"{order} {context.idempotency_key} {target}")
            return f"paid {target}"

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Run it, unless it is away, or its request is lost, as planned."""
        self.calls.append(call)
        fault = self.plan.pop(0) if self.plan else ""
        if fault == "request lost":
            return Result(Outcome.AMBIGUOUS)
        if self.is_away or fault == "away":
            return Result(Outcome.NOT_SENT)
        assert isinstance(call, Invoke | Settle)
        handler = self.app.handlers["pay"]
        delivery = Delivery(
            call.payload,
            "1",
            call.idempotency_key,
            timeout,
            voids=call.voids,
            settles=call.verb == "settle",
        )
        found = answer(handler, delivery, Platform(self.target, None, self._clock))
        lost = Result[Any](Outcome.AMBIGUOUS)
        return lost if self.loses else result_of(found, handler)


@contextmanager
def places(effect: Effect, *, declared: bool = False) -> Iterator[tuple[Any, ...]]:
    """Open a client over two targets; `declared`: its configuration says that they share keys."""
    clock, charges = FakeClock(), list[str]()
    one, two = (Place(name, clock, charges, "target") for name in ("aws:one", "azure:two"))
    for place in (one, two):
        enter_register(place.app.handlers["pay"], clock)
    clock.advance(LONG)
    config = Config(functions={"pay": FunctionConfig(effect, declared, marks=True)})
    with ExitStack() as stack:
        for place in (one, two):
            stack.enter_context(place.table)
        client = stack.enter_context(Client((one, two), config=config, clock=clock))
        yield client, one, two, clock, charges


def test_a_key_is_settled_where_its_calls_are_made(subtests: pytest.Subtests) -> None:
    """The other target has no record of it, and would say that nothing has run."""
    for declared in (False, True):
        with subtests.test(declared=declared), places(Effect.KEYED, declared=declared) as opened:
            client, one, two, clock, charges = opened
            one.loses = True
            two.is_away = True
            with pytest.raises(CallError) as caught:
                client.invoke("pay", "42", idempotency_key="k", timeout=5, on_unknown="raise")
            assert charges[0] == "42 k aws:one"
            one.is_away, two.is_away = True, False
            by_key = client.settle("k", function="pay", sent=clock.now(), timeout=5)
            assert by_key.verdict is Verdict.UNKNOWN
            assert client.settle(caught.value, timeout=5).verdict is Verdict.UNKNOWN
            one.is_away = one.loses = False
            assert client.settle(caught.value, timeout=5).result == "paid aws:one"
            clock.advance(60)
            by_key = client.settle("k", function="pay", sent=clock.now(), timeout=5)
            assert by_key.result == "paid aws:one"


def test_a_key_that_may_be_at_any_target_is_settled_at_all() -> None:
    """A call that is not repeated may have been made at either."""
    with places(Effect.UNSAFE) as (client, one, two, clock, charges):
        one.is_away = two.loses = True
        with pytest.raises(CallError) as caught:
            client.invoke("pay", "42", idempotency_key="k", timeout=5, on_unknown="raise")
        assert charges == ["42 k azure:two"]
        one.is_away = two.loses = False
        two.is_away = True
        settled = client.settle("k", function="pay", sent=clock.now(), timeout=5)
        assert settled.verdict is Verdict.UNKNOWN
        two.is_away = False
        for targets in (None, ["aws:one", "azure:two"], "azure:two"):
            settled = client.settle("k", function="pay", sent=clock.now(), targets=targets)
            assert settled.result == "paid azure:two"
        assert client.settle(caught.value).result == "paid azure:two"


@pytest.mark.parametrize("by_key", [False, True])
def test_what_a_call_has_learnt_meanwhile_counts_for_its_error(*, by_key: bool) -> None:
    """It was settled as not run, sent again, and lost again: that packet is late as well.

    Whoever settles by the key knows of no void, and makes another one.
    """
    with places(Effect.UNSAFE) as (client, one, two, clock, charges):
        two.is_away = True
        one.plan = ["request lost", "", "request lost", *["away"] * 9_999]
        with pytest.raises(CallError) as caught:
            client.invoke("pay", "42", idempotency_key="k", timeout=5, on_unknown="settle")
        late = [call for call in one.calls if call.verb == "invoke"]
        assert [call.voids for call in late[:2] if isinstance(call, Invoke)] == [0, 1]
        one.plan.clear()
        if by_key:
            sent = clock.now()
            settled = client.settle("k", function="pay", sent=sent, targets="aws:one", timeout=5)
        else:
            settled = client.settle(caught.value, timeout=5)
        assert settled.verdict is Verdict.NOT_RUN
        for call in late:
            one.perform(call, 5.0)
        assert charges == []


def test_an_error_speaks_of_its_own_call_alone() -> None:
    """The key was called before, elsewhere: that call has its error, and its key names both."""
    with places(Effect.UNSAFE) as (client, one, two, clock, _):
        errors = list[CallError]()
        one.loses, two.plan = True, ["request lost"]
        for is_away in (False, True):
            one.is_away = is_away
            with pytest.raises(CallError) as caught:
                client.invoke("pay", "42", idempotency_key="k", timeout=5, on_unknown="raise")
            errors.append(caught.value)
        one.is_away = one.loses = False
        assert client.settle(errors[1]).verdict is Verdict.NOT_RUN
        assert client.settle(errors[0]).result == "paid aws:one"
        both = ["aws:one", "azure:two"]
        named = client.settle("k", function="pay", sent=clock.now(), targets=both)
        assert named.result == "paid aws:one"
