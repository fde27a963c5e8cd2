"""Two versions of a function, one after the other or beside each other, over one table."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from operator import attrgetter
from pathlib import Path
from subprocess import run
from types import FunctionType
from typing import Any

import pytest

from leeward import App, Client, ConfigError, Event, OutcomeUnknown, Verdict
from leeward.app import Message, idempotent
from leeward.app.context import Context
from leeward.app.handlers import answer
from leeward.app.idempotency import settings, settlement
from leeward.app.idempotency.register import (
    MOST_ENTRIES,
    ROLLOUT,
    Register,
    doubt_of,
    enter_register,
    source_text,
)
from leeward.app.idempotency.settling import settle_key
from leeward.app.idempotency.steps import (
    Away,
    Changed,
    LoadedRegister,
    RegisterEntry,
    Saved,
    SaveRegister,
)
from leeward.app.triggers import Delivery, Platform
from leeward.envelope import CLOCKS
from leeward.local import Local
from leeward.testing import FakeClock, Fault, FaultyDriver
from leeward_contract_tests.rows import each_row
from tests.registers import LONG


@dataclass
class Order:
    """What the first version takes."""

    id: str
    total: int


@dataclass
class LaterOrder:
    """The same with one more attribute, and a number of another type."""

    id: str
    total: float
    note: str = "none"


def plain(order: Any) -> str:
    """Take JSON."""
    return str(order and order["id"])


def typed(order: Order) -> str:
    """Take the first version's order."""
    return order.id


def later(purchase: LaterOrder) -> str:
    """Take the second version's, under another name."""
    return purchase.id


def by_event(event: Event) -> str:
    """Take a whole event."""
    return str(event.data["id"])


def by_message(message: Message) -> str:
    """Take a whole message."""
    return message.queue


PAYLOAD = b'{"id": "42", "total": 1}'
OTHER = b'{"id": "42", "total": 2}'
KINDS: dict[str, tuple[Callable[[App], Any], Any, Any, tuple[Any, ...]]] = {
    "a call": (
        lambda app: app.function(name="pay"), PAYLOAD, OTHER, (plain, typed, later),
    ),
    "an event": (
        lambda app: app.on_event("orders", name="pay"),
        Event("paid", {"id": "42", "total": 1}, "i", "s"),
        Event("paid", {"id": "42", "total": 2}, "i", "s"),
        (by_event, typed, later),
    ),
    "a message": (
        lambda app: app.on_message("orders", name="pay"),
        Message("orders", "1", PAYLOAD), Message("orders", "1", OTHER),
        (by_message, plain, typed, later),
    ),
}  # fmt: skip


@each_row("register, payload, other, versions", KINDS)
def test_a_payload_is_the_same_whatever_its_handler_reads_it_into(
    register: Callable[[App], Any], payload: Any, other: Any, versions: tuple[Any, ...]
) -> None:
    """An optional attribute, a float for an int, another parameter: it is a repeat."""
    clock = FakeClock()
    platform = Platform("local", None, clock)
    with Client(Local("local:keys", clock=clock), clock=clock) as client:

        def deliver(version: Any, given: Any, secret: Any = None, key: str = "k") -> Any:
            app = App("shop")
            guard = idempotent(table="keys", principal=None, name="pay", client=client, clock=clock)
            register(app)(guard(version))
            return answer(app.handlers["pay"], Delivery(given, "1", key, 20.0), platform).failure

        for first in versions:
            for second in versions:
                key = f"{first.__name__}-{second.__name__}"
                assert deliver(first, payload, key=key) is None
                assert deliver(second, payload, key=key) is None, key
                failure = deliver(second, other, key=key)
                assert failure is not None
                assert failure.type == "KeyReused", key


RUNS: list[str] = []


def pay(order: Any, context: Context) -> str:
    """Charge."""
    RUNS.append(order["id"])
    return f"paid {context.idempotency_key}"


class Shop:
    """One table, and processes of a function's versions over it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.driver = FaultyDriver(Local("local:keys", clock=self.clock))
        self.open = ExitStack()
        self.client = self.open.enter_context(Client(self.driver, clock=self.clock))
        RUNS.clear()

    def process(self, **options: Any) -> Callable[..., dict[str, Any]]:
        """Begin a process of a version; return what calls its function, or settles."""
        app = App("shop")
        function: Any = pay
        if options.pop("decorated", True):
            given = {"table": "keys", "key": "order.id", "principal": None, **options}
            again = FunctionType(pay.__code__, pay.__globals__, "pay")  # as loaded anew
            again.__annotations__, again.__qualname__ = pay.__annotations__, "pay"
            again.__module__ = given.pop("module", __name__)
            client = Client(self.driver, clock=self.clock)  # no other process has it
            function = idempotent(
                client=self.open.enter_context(client), clock=self.clock, **given
            )(again)
        app.function(name="pay", effect="keyed")(function)

        def deliver(age: float | None = None, voids: int = 0, **order: Any) -> dict[str, Any]:
            payload = {"id": "42", "ref": "A", **order}
            body: Any = payload if age is None else {"payload": payload, "age": age, "own": True}
            delivery = Delivery(
                json.dumps(body).encode(), "1", "k", 20.0, principal="ann", voids=voids,
                settles=age is not None,
            )  # fmt: skip
            found = answer(app.handlers["pay"], delivery, Platform("aws", None, self.clock))
            failure = found.failure and {"failure": found.failure.type}
            return failure or {"answer": json.loads(found.body or b"null")}

        return deliver


@pytest.fixture
def shop() -> Iterator[Shop]:
    """Give a shop whose first process has yet to begin."""
    shop = Shop()
    with shop.open:
        yield shop


DIFFERENT: dict[str, tuple[dict[str, Any], str]] = {
    "its name": ({"name": "take-money"}, "name was take-money, is shop/pay"),
    "its key": ({"key": "order.ref"}, "key was order.ref, is order.id"),
    "its key, a function": ({"key": lambda order: order["ref"]}, "key was "),
    "its principal": ({"principal": "platform"}, "principal was platform, is none"),
    "its keep": ({"keep": 60.0}, "keep was 60"),
    "its effects": ({"effects": "marked"}, "effects was marked, is anywhere"),
    "it may run without its table": ({"unreachable": "run_and_flag"}, "unreachable was"),
    "its table": ({"table": "records"}, "it keeps records since"),
    "it kept no records": ({"decorated": False}, "it keeps records since"),
}


@each_row("first, told", DIFFERENT)
def test_a_call_that_another_version_has_run_is_not_denied(
    first: dict[str, Any], told: str
) -> None:
    """Its record is where this version does not look; the answer says what differs."""
    shop = Shop()
    with shop.open:
        before = shop.process(**first)
        shop.clock.advance(LONG)
        assert before() == {"answer": "paid k"}
        shop.clock.advance(LONG)
        process = shop.process()
        assert process(age=LONG)["answer"]["verdict"] in ("ran", "unknown")
        settled = process(age=LONG, id="43", ref="C")["answer"]
        assert settled["verdict"] == "unknown"
        assert settled["reason"] in ("changed", "too_new")
        assert told in settled["detail"]
        assert RUNS == ["42"]


def by_field(name: str) -> Callable[..., str]:
    """Return a source of keys of a factory."""
    return lambda order: str(order[name])


class ById:
    """A source of keys with a method and a call."""

    def __call__(self, order: Any) -> str:
        """Return the id."""
        return str(order["id"])

    def read(self, order: Any) -> str:
        """Return the reference."""
        return str(order["ref"])


class ByReference(ById):
    """Another one."""

    def __call__(self, order: Any) -> str:
        """Return the reference."""
        return str(order["ref"])


SOURCES: dict[str, Any] = {
    "none": None,
    "a path": "order.id",
    "a lambda": lambda order: order["id"],
    "another lambda": lambda order: order["ref"],
    "a lambda of the same names": lambda order: order["id"] and order["ref"],
    "another of the same names": lambda order: order["id"] or order["ref"],
    "a factory's": by_field("id"),
    "another of the factory": by_field("ref"),
    "a lambda with a default": lambda order, name="id": order[name],
    "another default": lambda order, name="ref": order[name],
    "a default by name": lambda order, *, name="id": order[name],
    "a part of a function": partial(by_field, "id"),
    "another part": partial(by_field, "ref"),
    "an attribute": attrgetter("principal"),
    "another attribute": attrgetter("headers.name"),
    "a cache": cache(lambda order: order["id"]),
    "another cache": cache(lambda order: order["ref"]),
    "an object": ById(),
    "another object": ByReference(),
    "a method": ById().read,
    "a built-in one": len,
    "a set": lambda order: order["id"] if order["kind"] in {"a", "b", "c"} else "none",
}


def test_each_source_of_keys_is_one_of_its_own() -> None:
    """Whatever kind of function it is, and though its name says nothing."""
    texts = {source_text(source): name for name, source in SOURCES.items()}
    assert len(texts) == len(SOURCES), {*SOURCES} - {*texts.values()}
    assert source_text(by_field("id")) == source_text(SOURCES["a factory's"])
    assert source_text(ById()) == source_text(SOURCES["an object"])


def test_a_source_that_calls_itself_has_a_text() -> None:
    """Its own code is a part of it."""

    def read(order: Any) -> str:
        return read(order["inner"]) if "inner" in order else str(order["id"])

    assert source_text(read).startswith(__name__)


def test_each_process_says_the_same_of_a_source() -> None:
    """A set has another order in each; else each process would be a new version."""
    program = (
        "from tests.app.idempotent.test_versions import *; print(source_text(SOURCES['a set']))"
    )
    found = {
        run([sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed},
            check=True, capture_output=True).stdout
        for seed in "12"  # with which the order differs
    }  # fmt: skip
    assert len(found) == 1


def test_one_digest_tells_versions_apart_at_every_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the register says and what answers say of the records are the same facts."""

    def digest(secret: bytes = b"", **options: Any) -> str | None:
        monkeypatch.setattr(settings, "own_secret", lambda: secret)
        app, given = App("shop"), {"table": "keys", "principal": None, "dedup_scope": "group"}
        app.function(name="pay")(idempotent(**{**given, **options})(plain))
        return app.handlers["pay"].worth_of_keys

    own = digest()
    for options, _ in DIFFERENT.values():
        if options.get("decorated", True):
            given = {**options, "key": options.get("key", "order")}
            is_other = {*options} != {"keep"}
            assert (digest(**given) != digest(key="order")) is is_other, options
    assert digest(b"1" * 32) not in (own, digest(b"2" * 32))
    assert digest() == own


@each_row("first, told", {name: row for name, row in DIFFERENT.items() if "until" not in name})
def test_a_version_that_still_runs_beside_the_new_one_is_waited_for(
    first: dict[str, Any], told: str
) -> None:
    """For an hour, and an hour more for clocks; then a missing record proves that nothing ran."""
    del told
    shop = Shop()
    with shop.open:
        shop.process(**first)()
        new = shop.process()
        new(id="other", ref="B")
        for later, verdict in ((0.0, "unknown"), (ROLLOUT + CLOCKS - 10, "unknown")):
            shop.clock.advance(later)
            assert new(age=1.0, id="43", ref="C")["answer"]["verdict"] == verdict
        shop.clock.advance(20)
        assert new(age=1.0, id="43", ref="C")["answer"]["verdict"] == "not_run"


def test_a_version_that_is_back_is_seen(shop: Shop) -> None:
    """By a process of the other one that has looked into the register long before."""
    one, two = shop.process(name="one"), shop.process(name="two")
    one(id="1")
    shop.clock.advance(LONG)
    two(id="2")
    shop.clock.advance(LONG)
    assert two(age=1.0)["answer"]["verdict"] == "not_run"
    shop.process(name="one")(id="3")
    assert two(age=1.0, id="43")["answer"]["reason"] == "changed"


def test_what_says_the_same_of_a_record_is_one_version(shop: Shop) -> None:
    """The module moved, the function has another name in the code, its lease is another one."""
    shop.process(module="old.place", lease=30.0)()
    shop.clock.advance(LONG)
    new = shop.process(module="new.place", lease=60.0)
    assert new(age=LONG)["answer"]["result"] == "paid k"
    assert new() == {"answer": "paid k"}
    assert new(age=1.0, id="43")["answer"]["verdict"] == "not_run"
    assert RUNS == ["42"]


def test_a_version_may_keep_records_for_longer_or_for_less(shop: Shop) -> None:
    """As long as each would have kept that of this call."""
    shop.process(keep=2 * LONG)(id="1")
    shop.clock.advance(LONG)
    new = shop.process(keep=LONG)
    assert new(age=60.0)["answer"]["verdict"] == "not_run"
    assert new(age=LONG + 1, id="43")["answer"]["reason"] == "expired"


def test_what_may_have_run_elsewhere_is_not_denied_where_a_record_is(shop: Shop) -> None:
    """The second version has released the key; the first one has run its call."""
    shop.process(name="one")()
    failing = shop.process(failures={KeyError: "release"})
    assert failing(id="42", ref=None) == {"answer": "paid k"}  # under its own name
    settled = shop.process(name="three")(age=1.0)["answer"]
    assert (settled["verdict"], settled["reason"]) == ("unknown", "changed")


def test_a_version_that_comes_while_a_key_is_settled_is_seen(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has run the call before the void, which is of another record."""
    new, other = shop.process(), shop.process(name="other")
    new(id="1")
    shop.clock.advance(LONG)
    settle = settle_key

    def overtaken(*arguments: Any) -> Any:
        other()
        return settle(*arguments)

    monkeypatch.setattr(settlement, "settle_key", overtaken)
    assert new(age=1.0)["answer"]["reason"] == "changed"
    assert RUNS == ["1", "42"]


def test_a_register_costs_one_read_in_a_cold_start(shop: Shop) -> None:
    """And one write for each version; a call that goes well later asks nothing more."""

    def verbs(make: Callable[[], object]) -> list[str]:
        shop.driver.calls.clear()
        make()
        return [str(call.verb) for call in shop.driver.calls]

    first, second = shop.process(), shop.process()
    assert verbs(partial(first, id="1")) == ["load", "store", "store", "store"]
    assert verbs(partial(first, id="2")) == ["store", "store"]
    assert verbs(partial(second, id="3")) == ["load", "store", "store"]
    assert verbs(partial(second, id="4")) == ["store", "store"]


def test_the_client_of_the_app_reads_the_register_once() -> None:
    """Each call has a client of its own, with the same operations."""
    app, driver = App("shop"), FaultyDriver(Local())
    app.function(effect="keyed")(idempotent(table="keys", principal=None)(pay))
    with Client(driver, app=app) as client:
        for key, verbs in (("1", ["load", "store"]), ("2", []), ("3", [])):
            driver.calls.clear()
            client.invoke("pay", {"id": key}, idempotency_key=key)
            assert [str(call.verb) for call in driver.calls] == ["invoke", *verbs, "store", "store"]


def test_a_version_that_cannot_be_in_the_register_does_not_run(shop: Shop) -> None:
    """Nobody would know that it had; the next call tries again."""
    process = shop.process()
    shop.driver.fail(Fault.REFUSE, verb="load")
    assert process()["failure"] == "DedupUnavailable"
    shop.driver.heal()
    assert process() == {"answer": "paid k"}
    assert RUNS == ["42"]


def test_a_row_that_is_not_leewards_says_nothing(shop: Shop) -> None:
    """It is written anew, and what was before is not known."""
    shop.client.store_data("keys", {"id": ":register:shop/pay", "entries": "none"})
    assert shop.process()(age=1.0)["answer"]["reason"] == "too_new"


def test_versions_that_write_the_register_all_the_time_settle_nothing() -> None:
    """Nobody's word is the last one, and the asker is told to ask again."""
    steps = enter_register(Register("row", {"name": "x"}), 0.0)

    def run() -> object:
        step = next(steps)
        try:
            while True:
                step = steps.send((Changed() if isinstance(step, SaveRegister) else None, 0.0))
        except StopIteration as end:
            return end.value

    assert isinstance(run(), Away)


def test_no_row_grows_for_ever() -> None:
    """What is missing there is not known any more."""
    entries: tuple[RegisterEntry, ...] = ()
    for number in range(3 * MOST_ENTRIES):
        register = Register("row", {"name": "ab"[number % 2], "keep": 9e9})
        steps = enter_register(register, float(number))
        next(steps)
        loaded = LoadedRegister(entries, "7") if entries else None
        save = steps.send((loaded, float(number)))
        assert isinstance(save, SaveRegister)
        entries = save.entries
        with pytest.raises(StopIteration):
            steps.send((Saved("8"), 0.0))
    assert len(entries) == MOST_ENTRIES
    doubt = doubt_of(Register("row", {"name": "b", "keep": 9e9}), entries[-1:], 1e6, 1e6)
    assert doubt is not None


WITHOUT_A_NAME = {
    "a local function": ("f.<locals>.charge", "shop"),
    "a lambda": ("<lambda>", "shop"),
    "a script": ("charge", "__main__"),
}


@each_row("place, module", WITHOUT_A_NAME)
def test_records_need_a_name_that_lasts(place: str, module: str) -> None:
    """Two programs, or two functions of one factory, would share their records."""
    with Client(Local()) as client:

        def charge(order: str) -> str:
            return order

        charge.__qualname__, charge.__module__ = place, module
        guarded = idempotent(table="keys", key="order", client=client)(charge)
        with pytest.raises(ConfigError, match=r"no name that lasts.*idempotent\(name=...\)"):
            guarded("42")
        named = idempotent(table="keys", key="order", name="charge", client=client)(charge)
        assert named("42") == "42"
        of_app = idempotent(table="keys", key="order", principal=None, client=client)(charge)
        App("mail").function(name="charge")(of_app)
        assert of_app("42") == "42"
        assert client.load_data("keys", "mail/charge:42") is not None


def test_two_functions_of_one_name_are_refused() -> None:
    """A loop has made them; what is gone stands in nobody's way."""

    def make() -> Any:
        def charge(order: str) -> str:
            return order

        charge.__qualname__, charge.__module__ = "charge", "shop.bank"
        return idempotent(table="keys", key="order", client=client)(charge)

    with Client(Local()) as client:
        one = make()
        assert one("1") == "1"
        two = make()
        with pytest.raises(ConfigError, match="two functions of this process are 'shop.bank"):
            two("1")
        del one
        assert two("2") == "2"


def test_a_function_of_two_handlers_needs_a_name() -> None:
    """Else it is not said whether they share their records."""
    app = App("shop")
    guard = idempotent(table="keys", key="order", principal=None)(typed)
    app.function(name="one")(guard)
    with pytest.raises(ConfigError, match="of 'shop/one' and of 'shop/two'"):
        app.function(name="two")(guard)
    named = idempotent(table="keys", key="order", principal=None, name="x")(typed)
    for name in ("three", "four"):
        app.function(name=name)(named)


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.LOSE_ANSWER])
def test_a_client_of_another_version_does_not_deny_a_call_on_local(
    fault: Fault, tmp_path: Path
) -> None:
    """The client that made the call knows that nobody else may have run it: it runs one version."""

    def version(**options: Any) -> tuple[Client, FaultyDriver]:
        app, given = App("shop"), {"table": "keys", "principal": None, **options}
        app.function(name="pay", effect="keyed")(idempotent(**given)(plain))
        driver = FaultyDriver(Local(path=tmp_path / "keys.sqlite3"))
        return Client(driver, app=app), driver

    def lose(client: Client, driver: FaultyDriver) -> OutcomeUnknown:
        driver.fail(fault, verb="invoke")
        with pytest.raises(OutcomeUnknown) as raised:
            client.invoke("pay", {"id": "42"}, timeout=0.5, on_unknown="raise", idempotency_key="k")
        driver.heal()
        return raised.value

    (first, one), (second, two) = version(name="pay"), version()
    with first, second:
        error = lose(first, one)
        assert second.settle(error).verdict is Verdict.UNKNOWN
        settled = first.settle(error).verdict
        assert settled is (Verdict.RAN if fault is Fault.LOSE_ANSWER else Verdict.NOT_RUN)
        lose(second, two)
        assert second.settle(error).verdict in (Verdict.UNKNOWN, Verdict.RAN)
