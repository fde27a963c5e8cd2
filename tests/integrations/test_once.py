"""Tools of agents: one effect for each call of a run, whoever makes the call again."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread
from typing import Any
from weakref import ref

import pytest

from leeward import AsyncClient, Client, ran
from leeward.app.idempotency import CannotTell, Done, NotDone, effect
from leeward.app.idempotency.record import Approval
from leeward.cli.key_records import (
    approve_by_hand,
    change_key,
    refuse_by_hand,
    scan_keys,
)
from leeward.errors import ConfigError, DedupUnavailable, TargetUnavailable
from leeward.local import Local
from leeward.testing import FakeClock, Fault, FaultyDriver
from leeward.values import Effect
from leeward.views.calls import version_of
from leeward_contract_tests.rows import each_row
from leeward_integrations import once as once_module
from leeward_integrations.once import (
    NotCalledAgain,
    agent_run,
    call_key,
    effect_of,
    once,
    tool_call,
)


class Shop:
    """A tool that charges, and a bank that can be asked.

    Attributes:
        charged: the keys of the charges.
        ends: what the next calls raise: behind the charge, or before it if it proves that.
        knows: what the bank says of a key; None to look it up.
    """

    def __init__(self, cloud: Any) -> None:
        self.cloud, self.clock = cloud, FakeClock()
        self.client = Client(cloud)
        self.charged: list[str] = []
        self.ends: list[BaseException] = []
        self.knows: Any = None

    def find(self, key: str, *_: object) -> Any:
        """Ask the bank."""
        if self.knows is not None:
            return self.knows
        return Done(f"charge {key}") if key in self.charged else NotDone()

    def pay(self) -> str:
        """Charge."""
        end = self.ends.pop(0) if self.ends else None
        if isinstance(end, TargetUnavailable | LookupError):
            raise end
        self.charged.append(call_key())
        if end is not None:
            raise end
        return f"charge {self.charged[-1]}"

    def tool(self, **options: Any) -> Any:
        """Return the tool."""

        def charge(order: str, note: object = None) -> str:
            return self.pay()

        given = {"table": "keys", "client": self.client, "clock": self.clock, "probe": self.find}
        return once(**{**given, **options})(charge)


@pytest.fixture
def shop() -> Iterator[Shop]:
    """Return a shop whose records are in memory."""
    shop = Shop(FaultyDriver(Local()))
    with shop.client:
        yield shop


@dataclass
class Order:
    """An argument of a tool."""

    id: str


def refusal_of(call: Any) -> NotCalledAgain:
    """Return why a call was refused."""
    with pytest.raises(NotCalledAgain) as caught:
        call()
    return caught.value


def test_what_a_key_names_happens_once_in_any_run(shop: Shop) -> None:
    """A model that asks again after an answer gets the first one; nothing has to name the run."""
    charge = shop.tool(key=lambda order, note: f"order {order}")
    with agent_run("a"):
        results = [charge("17"), charge("17")]
    with agent_run("b"), tool_call("turn 1", 0):
        results.append(charge("17"))
    assert {charge("17"), *results} == {f"charge {shop.charged[0]}"}
    assert len(shop.charged) == 1
    with pytest.raises(Exception, match="another payload|other"):
        charge("17", note="another amount")
    charge("18")
    assert len(shop.charged) == 2
    for wrong in ("", None):
        with pytest.raises(ConfigError, match="key of @once must return a text"):
            shop.tool(key=lambda order, note, wrong=wrong: wrong)("19")
    assert len(shop.charged) == 2


def test_equal_calls_of_a_run_are_two_and_a_run_begun_again_has_the_same(shop: Shop) -> None:
    """A second process makes no third."""
    results: list[tuple[str, ...]] = []
    for _ in range(2):
        charge = shop.tool()
        with agent_run("order-17"):
            results.append((charge("17"), charge("17")))
        with agent_run("order-18"):
            results.append((charge("17"),))
    assert results[:2] == results[2:]
    assert len(shop.charged) == len(set(shop.charged)) == 3


def test_without_a_run_nothing_runs(shop: Shop) -> None:
    """The error names the remedy."""
    with pytest.raises(ConfigError, match=r'with agent_run\("order-17"\)'):
        shop.tool()("17")
    with pytest.raises(ConfigError, match="agent_run"), tool_call(1, 0):
        shop.tool()("17")
    for run in ("", None, 17, object()):
        with pytest.raises(ConfigError, match="agent_run"), agent_run(run):  # type: ignore[arg-type]
            shop.tool()("17")
    assert shop.charged == []


def test_a_lost_answer_is_found_at_once(shop: Shop) -> None:
    """The probe is asked before anybody hears of the failure."""
    shop.ends = [ConnectionError()]
    with agent_run("order-17"):
        assert shop.tool()("17") == "charge " + shop.charged[0]
    assert len(shop.charged) == 1


def test_what_is_proved_not_to_have_run_is_free(shop: Shop) -> None:
    """So retries of a library work; and so does what was declared."""
    charge = shop.tool(probe=None, failures={LookupError: "release"})
    with agent_run("order-17"):
        for end in (TargetUnavailable("away"), KeyError("17")):
            shop.ends = [end]
            with pytest.raises(type(end)):
                charge("17")
            assert shop.charged == []
        charge("17")
    assert len(shop.charged) == 1


def test_a_lost_request_waits_for_its_lease(shop: Shop) -> None:
    """What was sent may still arrive; after that it runs."""
    shop.knows = NotDone()
    shop.ends = [TimeoutError()]
    charge = shop.tool(lease=30.0)
    with agent_run("order-17"):
        error = refusal_of(lambda: charge("17"))
        assert (error.reason, error.ran) == ("running", "maybe")
        assert error.retry_after
        shop.charged.clear()
        shop.clock.advance(31)
        charge("17")
    assert len(shop.charged) == 1


@pytest.mark.parametrize("turns", [[None, None], [1, 2]])
def test_an_unknown_is_not_repeated_until_somebody_settles_it(
    shop: Shop, turns: list[int | None]
) -> None:
    """The text is for a model, and names the record for a person."""
    shop.knows = CannotTell()
    shop.ends = [ConnectionError()]
    charge = shop.tool()
    with agent_run("order-17"):
        for turn in turns:
            with tool_call(turn, 0, names=["order"]):
                error = refusal_of(lambda: charge("17", note=object()))
                assert (error.reason, error.ran, error.retryable) == ("unknown", "maybe", False)
                assert "again" not in str(error).replace("Do not call it again", "")
                assert "leeward keys show keys" in str(error)
        with tool_call(9, 0, names=["order"], as_text=True):
            assert charge("17") == str(error)
        shop.knows = None
        with tool_call(turns[-1], 0, names=["order"]):
            assert charge("17") == "charge " + shop.charged[0]
        assert len(shop.charged) == 1
        with tool_call(turns[-1] and 10, 0, names=["order"]):
            charge("17")
    assert len(shop.charged) == 2


def test_calls_of_one_message_are_not_one_another(shop: Shop) -> None:
    """Two equal ones that fail are two, also when the model makes both again."""
    shop.knows = CannotTell()
    shop.ends = [ConnectionError(), ConnectionError()]
    charge = shop.tool()
    for turn in (1, 2):
        for index in (0, 1):
            with tool_call(turn, index, run="thread"):
                refusal_of(lambda: charge("17"))
    assert len(set(shop.charged)) == len(shop.charged) == 2


def test_a_turn_has_the_same_calls_after_a_crash(shop: Shop) -> None:
    """In any order, and after later turns; a subgraph has calls of its own."""
    charge = shop.tool()
    places = [(1, 0, ""), (1, 1, ""), (2, 0, ""), (2, 0, "sub")]
    results: dict[object, str] = {}
    for turn, index, within in places + places[::-1]:
        with tool_call(turn, index, run="thread", within=within):
            result = charge("17")
            assert results.setdefault((turn, index, within), result) == result
    assert len(set(results.values())) == len(shop.charged) == 4


def test_parallel_calls_are_two(shop: Shop) -> None:
    """Threads of one run."""
    charge = shop.tool()
    with agent_run("order-17"):
        threads = [Thread(target=copy_context().run, args=(charge, "17")) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(shop.charged)) == len(shop.charged) == 4


def test_a_tool_within_a_tool_has_a_run_of_its_own(shop: Shop) -> None:
    """Its calls are counted anew, and repeated with it."""
    charge = shop.tool()

    @once(table="keys", client=shop.client, name="both")
    def charge_twice(order: str) -> list[str]:
        return [charge(order), charge(order)]

    for _ in range(2):
        with tool_call(1, 0, run="thread"):
            assert charge_twice("17") == [f"charge {key}" for key in shop.charged]
    assert len(shop.charged) == 2


def test_the_table_is_away(shop: Shop) -> None:
    """Nothing runs, and the same call may be made again."""
    charge = shop.tool(failures="replay")
    shop.cloud.fail(Fault.REFUSE, verb="store_data")
    for place in (agent_run("order-17"), tool_call(1, 0, run="order-17")):
        with place, pytest.raises(DedupUnavailable):
            charge("17")
    shop.cloud.heal()
    for place in (agent_run("order-17"), tool_call(1, 0, run="order-17")):
        with place:
            charge("17")
    assert len(shop.charged) == 1


class ForgetfulClient(Client):
    """A client that cannot write once that a call has its answer."""

    has_failed = False

    def store_data(self, table: str, item: Any, **options: Any) -> Any:
        """Store an item."""
        page = item.get("result")
        if isinstance(page, list) and any(is_over for *_, is_over in page) and not self.has_failed:
            self.has_failed = True
            raise TargetUnavailable("away")
        return super().store_data(table, item, **options)


def test_the_table_is_away_when_the_call_has_ended(shop: Shop) -> None:
    """Nobody is told that it did not run; whoever asks again gets its result."""
    with ForgetfulClient(Local()) as client:
        charge = shop.tool(client=client)
        with tool_call(1, 0, run="order-17"):
            error = refusal_of(lambda: charge("17"))
            assert charge("17") == "charge " + shop.charged[-1]
        assert (error.reason, ran(error)) == ("running", "maybe")
        assert len(shop.charged) == 1
        for turn in (1, 2):
            with tool_call(turn, 0, run="order-17"):
                assert charge("17") == "charge " + shop.charged[-1]
            assert len(shop.charged) == turn


def test_who_was_told_to_ask_later_gets_the_same_call(shop: Shop) -> None:
    """A client has hung up and calls again; meanwhile the first call ends, and nobody hears it."""
    results: list[Any] = []

    def call(turn: int) -> None:
        name = "t" + "/t" * (4 - turn)  # which begins with that of the turn after it
        with tool_call(name, 0, run="order-17", as_text=turn != 2):
            results.append(charge("17"))

    def pay() -> str:
        shop.charged.append(call_key())
        if len(shop.charged) == 1:
            with agent_run("order-17"):  # as another request: it has another context
                results.append(refusal_of(lambda: call(2)).reason)
        return f"charge {len(shop.charged)}"

    shop.pay = pay  # type: ignore[method-assign]
    charge = shop.tool()
    for turn in (1, 3, 4):
        call(turn)
    assert results == ["running", "charge 1", "charge 1", "charge 2"]


def test_a_default_is_the_same_argument_whoever_writes_it(shop: Shop) -> None:
    """The model leaves it out at first, and writes it when it calls again; a person sees it."""
    shop.knows = CannotTell()
    shop.ends = [ConnectionError()]
    asked: list[object] = []

    def ask(order: str, note: object) -> bool:
        asked.append(note)
        return False

    charge = shop.tool(approval=ask)
    with agent_run("order-17"):
        for given in ({"order": "17"}, {"order": "17", "note": None}):
            with tool_call(names=given):
                assert refusal_of(lambda given=given: charge(**given)).reason == "unknown"
    assert len(shop.charged) == 1
    assert set(asked) == {None}


def test_a_call_that_has_ended_keeps_none_of_its_arguments(shop: Shop) -> None:
    """A run may make any number of calls."""
    charge, order = shop.tool(), Order("17")
    gone = ref(order)
    with agent_run("order-17"):
        charge(order)
        del order
        gc.collect()
        assert gone() is None


def test_a_call_that_a_signal_interrupts_is_made_again(shop: Shop) -> None:
    """As Celery's soft time limit does, at the end of any step: the next try is the same call."""
    steps = {"__init__", "_take_number", "_note_end"}
    charge = shop.tool()

    def make(left: int) -> Any:
        def trace(frame: Any, event: str, _: object) -> Any:
            nonlocal left
            if frame.f_code.co_filename != once_module.__file__:
                return None
            left -= event == "return" and frame.f_code.co_name in steps
            if left < 0:
                raise TimeoutError
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            return charge("17")
        finally:
            sys.settrace(before)

    for step in range(10):
        results: list[Any] = []
        with agent_run(f"order-{step}"):
            with suppress(TimeoutError):
                results.append(make(step))
            is_last = bool(results)
            results += [] if is_last else [charge("17")]
        with agent_run(f"order-{step}"):
            assert charge("17") == results[0]
        assert len(shop.charged) == step + 1
        if is_last:
            break
    assert is_last
    assert step > 2


def test_a_call_whose_block_is_left_is_made_again(shop: Shop) -> None:
    """A library has given a thread up, or has dropped a result: nobody got an answer."""
    begun, go_on = Event(), Event()

    def pay() -> str:
        shop.charged.append(call_key())
        begun.set()
        go_on.wait(10)
        return "charged"

    shop.pay = pay  # type: ignore[method-assign]
    charge = shop.tool(probe=None)
    with agent_run("order-17"):
        with tool_call(names=["order"]):
            thread = Thread(target=copy_context().run, args=(charge, "17"))
            thread.start()
            begun.wait(10)
        with tool_call(names=["order"]):
            assert refusal_of(lambda: charge("17")).reason == "running"
        go_on.set()
        thread.join()
        for _ in range(2):
            with suppress(LookupError), tool_call(), tool_call():
                assert charge("17") == "charged"
                raise LookupError
        assert len(shop.charged) == 1
        with tool_call(), suppress(LookupError):
            charge("17")
            with tool_call():
                charge("17")
                raise LookupError
        assert len(shop.charged) == 2
        charge("17")
    assert len(shop.charged) == 2


def test_a_tool_of_tools_that_fails_makes_the_same_calls_again(shop: Shop) -> None:
    """It runs again, as declared; a process that died in it is waited for."""
    charge = shop.tool()
    ends: list[BaseException] = [LookupError(), KeyboardInterrupt()]

    @once(
        table="keys",
        client=shop.client,
        clock=shop.clock,
        failures="rerun",
        probe=lambda *_: NotDone(),
    )
    def order_all(orders: list[str]) -> str:
        results = [charge(order) for order in orders]
        if ends:
            raise ends.pop(0)
        return " ".join(results)

    with agent_run("r"):
        for kind in (LookupError, KeyboardInterrupt):
            with pytest.raises(kind):
                order_all(["17", "17"])
        assert refusal_of(lambda: order_all(["17", "17"])).reason == "running"
        shop.clock.advance(61)
        order_all(["17", "17"])
        assert len(shop.charged) == 2
        order_all(["17", "17"])
    assert len(shop.charged) == 4


def test_a_declared_failure_is_an_answer(shop: Shop) -> None:
    """An equal call after it is a new one; the run begun again hears it again."""
    for turns in ((None, None), (1, 2)):
        for _ in range(2):
            shop.ends = [LookupError("17")]
            charge = shop.tool(failures={LookupError: "replay"})
            with agent_run(f"order-{turns}"):
                with tool_call(turns[0], 0), pytest.raises(LookupError):
                    charge("17")
                shop.ends.clear()
                with tool_call(turns[1], 0):
                    charge("17")
    assert len(shop.charged) == 2


def test_a_coroutine_that_is_cancelled_is_not_repeated() -> None:
    """Nobody knows what it did."""

    async def go() -> None:
        charged: list[str] = []
        begun = asyncio.Event()
        async with AsyncClient(Local()) as client:

            @once(table="keys", client=client)
            async def charge(order: str) -> str:
                charged.append(call_key())
                begun.set()
                await asyncio.sleep(60 if len(charged) == 1 else 0)
                return order

            with agent_run("order-17"):
                call = asyncio.ensure_future(charge("17"))
                await begun.wait()
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
                with pytest.raises(NotCalledAgain) as caught:
                    await charge("17")
                assert caught.value.reason == "running"
                assert await charge("18") == "18"
        assert len(charged) == 2

    asyncio.run(go())


def test_announced_effects_and_those_of_other_tools(shop: Shop) -> None:
    """A proof about the last call proves nothing of an effect before it."""

    @once(table="keys", client=shop.client, name="two")
    def act(order: str) -> str:
        effect()
        shop.charged.append(order)
        raise TargetUnavailable("the second service is away")

    with agent_run("order-17"):
        error = refusal_of(lambda: act("17"))
    assert (error.reason, ran(error)) == ("unknown", "maybe")
    assert shop.charged == ["17"]


OTHERS: dict[str, Any] = {
    "a client's": lambda shop: shop.client.publish_event("orders", "paid"),
    "a client's on a thread of a pool": lambda shop: _in_pool(
        lambda: shop.client.store_data("orders", {"id": "1"})
    ),
    "another tool's": lambda shop: shop.tool(name="inner")("17"),
    "another tool's on a thread": lambda shop: _in_pool(
        copy_context().run, shop.tool(name="inner"), "17"
    ),
}


def _in_pool(work: Any, *arguments: Any) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work, *arguments).result()


@each_row("act", OTHERS)
@each_row("releases", [(), (LookupError,)])
def test_a_proof_of_the_last_call_frees_no_other_effect(act: Any, releases: Any) -> None:
    """Whoever has had it; and a word of a library about its own exception does not either."""
    shop = Shop(FaultyDriver(Local()))

    def tool(order: str) -> str:
        act(shop)
        raise LookupError if releases else TargetUnavailable("the second service is away")

    with shop.client, agent_run("order-17"):
        guarded = once(table="keys", client=shop.client, clock=shop.clock, name="two")(tool)
        with tool_call(releases=releases):
            assert refusal_of(lambda: guarded("17")).reason == "unknown"


@each_row("decide, ends", [(approve_by_hand, "charged"), (refuse_by_hand, "has refused this")])
def test_a_person_approves_a_call_of_a_tool(decide: Any, ends: str) -> None:
    """The model learns that it waits; when it calls again it gets the result, or the end."""
    charged: list[str] = []
    with Client(Local()) as client:

        @once(table="keys", client=client, approval=lambda order: f"Charge {order}?")
        def charge(order: str) -> str:
            charged.append(order)
            return "charged"

        with agent_run("r"):
            for _ in range(2):
                with tool_call(as_text=True):
                    assert "waits for a person's approval" in charge("17")
            ((row,), _) = scan_keys(client, "keys")
            assert row.record is not None
            assert (row.record.approval, charged) == (Approval("Charge 17?"), [])
            seen = version_of(row)
            change_key(client, "keys", row.id, seen, lambda record, _: decide(record, "maria"))
            with tool_call(as_text=True):
                assert ends in charge("17")
    assert len(charged) == (decide is approve_by_hand)


def test_declarations() -> None:
    """One declaration of the effect; what is wrong is named before anything runs."""

    def look(order: str) -> object:
        """Look."""
        return order

    assert once(effect="read_only")(look) is look
    assert effect_of(look) is Effect.READ_ONLY
    assert effect_of(once(table="keys")(look)) is Effect.UNSAFE
    assert effect_of(print) is None
    with pytest.raises(ConfigError, match="read_only, idempotent or unsafe"):
        once(effect="keyed")
    with pytest.raises(ConfigError, match="table"):
        once()(look)
    with pytest.raises(ConfigError, match="call_key"):
        call_key()

    for thing in (partial(look, "17"), Shop, None):
        with pytest.raises(ConfigError, match="or write one that calls this"):
            once(table="keys", name="look")(thing)  # type: ignore[type-var]
    assert effect_of(once(effect="read_only")(Shop.find.__get__(look))) is Effect.READ_ONLY

    def list_them(order: str) -> Iterator[str]:
        yield order

    with pytest.raises(ConfigError, match="list_them is a generator"):
        once(table="keys")(list_them)

    async def ask(order: str) -> bool:
        return bool(order)

    for approval in (ask, "yes"):
        with pytest.raises(ConfigError, match="approval of .*look must be True"):
            once(table="keys", approval=approval)(look)  # type: ignore[arg-type]
