"""A keyed call of a group moves to a target only if that keeps the same records: versions differ.

The operator declares the group for the function; which version is deployed at which target, only
its own answers say. Each version here runs the real handler over the wire's own headers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

from leeward import App, CallError, Client, Config, Context
from leeward.adapter import Capability, Driver, Limits
from leeward.adapter.http_functions import Address, FunctionPlatform, invoke
from leeward.adapter.plans import Send, View
from leeward.adapter.wire import Response
from leeward.app import idempotent
from leeward.app.host import Host, HttpRequest, serve
from leeward.app.triggers import Platform
from leeward.calls import Call, Enqueue, Invoke, Result, Settle
from leeward.config import FunctionConfig
from leeward.envelope import DEMAND, MARK
from leeward.errors import Outcome
from leeward.local import Local
from leeward.testing import FakeClock
from leeward.values import Effect
from leeward_contract_tests.rows import each_row

KEY = "k-1"
"""Of the call that is made again and again."""


class Target(Driver):
    """A target that runs one version of the function, over HTTP as it would be sent.

    Attributes:
        faults: what becomes of the next calls: ``lost`` answer, ``away``.
        sent: the headers of each call that arrived.
    """

    def __init__(self, target: str, app: App) -> None:
        self.target = target
        self.capabilities = frozenset({Capability.INVOKE})
        self.limits = Limits()
        self.faults: list[str] = []
        self.sent: list[dict[str, str]] = []
        self.forgets_demands = False
        self._host = Host(app, Platform("nimbus", None, FakeClock()))
        self._handler = app.handlers["pay"]

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Put the call to the handler, and read what it answers."""
        assert isinstance(call, Invoke | Settle)
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "away":
            return Result(Outcome.NOT_SENT)
        address = Address("https://pay.example", "/pay")
        plan = invoke(FunctionPlatform((), lambda _: None), call, View(0.0, timeout), address)
        step = next(plan)
        assert isinstance(step, Send)
        headers = {name.lower(): text for name, text in step.request.headers}
        self.sent.append(dict(headers))
        if self.forgets_demands:
            headers.pop(DEMAND, None)
        request = HttpRequest("POST", "/pay", headers, step.request.body)
        answer = serve(self._host, self._handler, request, "id", timeout)
        assert answer.headers
        if fault == "lost":
            return Result(Outcome.AMBIGUOUS)
        response = Response(answer.status, dict(answer.headers), answer.body)
        assert MARK in response.headers
        try:
            plan.send(response)
        except StopIteration as end:
            result: Result[Any] = end.value
            return result
        raise AssertionError("one request is all")


class World(NamedTuple):
    """Two targets, what has been charged there, and a client whose operator declares a group."""

    first: Target
    second: Target
    charges: list[str]
    client: Client


Version = Callable[[str, list[str], Client, Client, FakeClock], App]
"""Returns an app by its target: with what it charges, the shared table and one of its own."""


def keeper(**options: Any) -> Version:
    """Return a version that keeps records for the group, unless `options` say otherwise."""

    def make(where: str, charges: list[str], shared: Client, own: Client, clock: FakeClock) -> App:
        given = {"table": "keys", "principal": None, "dedup_scope": "group", "name": "pay"}
        table = own if options.get("table") == "other" else shared
        app = App("shop")

        @app.function(effect="keyed")
        @idempotent(client=table, clock=clock, **{**given, **options})
        def pay(order: str, context: Context) -> str:
            charges.append(where)
            return f"paid {order}"

        return app

    return make


def without_records(effect: Any) -> Version:
    """Return a version that knows nothing of keys."""

    def make(where: str, charges: list[str], shared: Client, own: Client, clock: FakeClock) -> App:
        app = App("shop")

        @app.function(effect=effect)
        def pay(order: str, context: Context) -> str:
            charges.append(where)
            return f"paid {order}"

        return app

    return make


SAME = keeper()
OLDER: dict[str, Version] = {
    "no records": without_records("unsafe"),
    "no records, though keyed": without_records("keyed"),
    "another name": keeper(name="charge"),
    "another table": keeper(table="other"),
    "another principal": keeper(principal=lambda _context: "all"),
    "another key": keeper(key=lambda order: f"{order}"),
    "keys of its target": keeper(dedup_scope="target"),
}


@pytest.fixture
def worlds() -> Iterator[Callable[..., World]]:
    """Return what makes a world of two versions."""
    with ExitStack() as stack:

        def make(first: Version, second: Version, *named: str) -> World:
            clock, charges = FakeClock(), list[str]()
            tables = [Client(Local(f"local:{name}", clock=clock), clock=clock) for name in "xyz"]
            for table in tables:
                stack.enter_context(table)
            one = Target("one", first("one", charges, tables[0], tables[1], clock))
            two = Target("two", second("two", charges, tables[0], tables[2], clock))
            config = Config(functions={"pay": FunctionConfig(Effect.KEYED, named or True)})
            client = stack.enter_context(Client((one, two), config=config, clock=clock))
            return World(one, two, charges, client)

        yield make


def pay(world: World, key: str = KEY, **options: Any) -> Any:
    """Call the function; return its value, or the error."""
    try:
        return world.client.invoke("pay", "42", idempotency_key=key, timeout=9, **options).value
    except CallError as error:
        return error


@each_row("version", list(OLDER))
@each_row("fault", ["lost", "away"])
@each_row("warm", [True, False])
@each_row("at", ["first", "second"])
def test_an_older_version_runs_no_call_again(
    worlds: Callable[..., World], version: str, fault: str, warm: bool, at: str
) -> None:
    """Whichever target has it, and whatever was said before: one target at most has an effect."""
    versions = (OLDER[version], SAME) if at == "first" else (SAME, OLDER[version])
    world = worlds(*versions)
    if warm:
        pay(world, "another")
        world.charges.clear()
    world.first.faults = [fault] * 9
    ended = pay(world)
    assert len(set(world.charges)) <= 1, world.charges
    assert len(world.charges) <= 1 or version.startswith("no records"), "its target repeats a call"
    if fault == "lost":
        assert isinstance(ended, CallError)
        assert ended.outcome is Outcome.AMBIGUOUS
    assert "two" not in world.charges or fault == "away"


def test_two_functions_without_a_name_are_two_sources_of_a_key(
    worlds: Callable[..., World],
) -> None:
    """Two lambdas make two keys of one order: neither target knows the other's record."""
    first, second = keeper(key=lambda order: f"1-{order}"), keeper(key=lambda order: f"2-{order}")
    world = worlds(first, second)
    pay(world, "another")
    world.first.faults = ["lost"] * 9
    ended = pay(world)
    assert (ended.outcome, world.charges) == (Outcome.AMBIGUOUS, ["one"])


@each_row("version", [name for name in OLDER if not name.startswith("no records, though")])
@each_row("warm", [True, False])
def test_a_key_that_was_used_at_the_first_target_meets_it_again(
    worlds: Callable[..., World], version: str, warm: bool
) -> None:
    """Another process has called it there; now that target is away, and the older one refuses."""
    world = worlds(SAME, OLDER[version])
    pay(world)
    world.first.faults = ["away"] * 9
    ended = pay(world)
    assert world.charges == ["one"]
    assert isinstance(ended, CallError)
    if warm:
        world.first.faults = []
        assert pay(world) == "paid 42"
        assert world.charges == ["one"]


def test_the_same_version_takes_the_call_and_knows_it(worlds: Callable[..., World]) -> None:
    """It says so itself, in the same request: nothing more is asked, and nothing runs twice."""
    world = worlds(SAME, SAME)
    assert pay(world, "another") == "paid 42"
    world.first.faults = ["lost"] * 2
    assert pay(world) == "paid 42"
    assert world.charges == ["one", "one"]
    assert [DEMAND in each for each in world.first.sent] == [False] * 3
    (demand,) = [each[DEMAND].partition(" ")[2] for each in world.second.sent]
    assert demand.startswith("group ")
    world.first.faults = ["away"] * 2
    assert pay(world, "third") == "paid 42"
    assert world.charges == ["one", "one", "two"]


def test_a_call_that_was_not_sent_moves_though_nothing_was_said_yet(
    worlds: Callable[..., World],
) -> None:
    """A new process whose first target is away: the next one says that it knows the keys."""
    world = worlds(SAME, SAME)
    world.first.faults = ["away"] * 9
    assert pay(world) == "paid 42"
    assert world.second.sent[0][DEMAND].partition(" ")[2] == "group"


def test_a_call_whose_first_target_has_said_nothing_is_unknown(
    worlds: Callable[..., World],
) -> None:
    """It may have run there without a record, so no other target is asked."""
    world = worlds(SAME, SAME)
    world.first.faults = ["lost"] * 9
    ended = pay(world)
    assert (ended.outcome, world.second.sent) == (Outcome.AMBIGUOUS, [])


def test_the_operator_may_name_the_targets(worlds: Callable[..., World]) -> None:
    """Such as two services of another framework with one store: their word is not needed."""
    world = worlds(SAME, SAME, "one", "two")
    world.first.faults = ["lost"] * 2
    assert pay(world) == "paid 42"
    assert world.charges == ["one"]
    assert DEMAND not in world.second.sent[0]


def test_a_handler_that_does_not_know_a_demand_has_no_time(worlds: Callable[..., World]) -> None:
    """That of an older leeward: nothing runs, and the call stays what it was."""
    world = worlds(SAME, SAME)
    assert pay(world, "another") == "paid 42"
    world.second.forgets_demands = True
    world.first.faults = ["lost"] * 2
    ended = pay(world)
    assert (ended.outcome, world.charges) == (Outcome.AMBIGUOUS, ["one", "one"])
    world.first.faults = ["away"] * 9
    refused = pay(world, "third")
    assert isinstance(refused, CallError)
    assert world.charges == ["one", "one"]


def test_a_refusal_says_nothing_against_the_target(worlds: Callable[..., World]) -> None:
    """It has answered; other calls go there as before."""
    world = worlds(SAME, OLDER["another name"])
    assert pay(world, "another") == "paid 42"
    for number in range(20):
        world.first.faults = ["away"] * 3
        refused = pay(world, f"k-{number}")
        assert isinstance(refused, CallError)
        assert refused.reason == "other_records"
    assert [each.circuits for each in world.client.targets()][1] == ()


@each_row("version", ["another name", "another table", "no records"])
def test_another_versions_table_settles_nothing(worlds: Callable[..., World], version: str) -> None:
    """It has no record of a call that ran at the first target, and would say that nothing ran."""
    world = worlds(SAME, OLDER[version])
    pay(world, "another")
    world.first.faults = ["lost", *["away"] * 99]
    ended = pay(world, on_unknown="settle")
    assert (ended.outcome, world.charges) == (Outcome.AMBIGUOUS, ["one", "one"])


def test_what_was_queued_and_may_have_run_is_not_queued_elsewhere() -> None:
    """The answer to a queued call says nothing of its function; a name is needed of each target."""
    from leeward._routing.attempts import may_leave
    from leeward._routing.outcomes import KeyWorth

    class Fields(NamedTuple):
        call: Enqueue
        able: tuple[str, ...]
        tried: tuple[str, ...]
        health: Any

    class Known(NamedTuple):
        keys: KeyWorth

    for shared, leaves in ((True, False), (("a",), False), (("a", "b"), True)):
        call = Enqueue("pay", b"1", KEY, Effect.KEYED, shared)
        state: Any = Fields(call, ("a", "b"), ("a",), Known(KeyWorth()))
        assert may_leave(state) is leaves
