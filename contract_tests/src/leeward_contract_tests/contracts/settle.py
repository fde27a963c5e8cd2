"""The contract of `settle`: what became of a call, by whoever keeps its record, and no guesses.

Three have to do their part: the adapter, which carries the question to the function; the table with
the records, whose conditional writes decide between a call and a settler; and the function, which
may be another framework's: see ``docs/settle.md``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from leeward import Client, NotFound, Outcome, Settled, Unsupported, Verdict
from leeward.adapter import Capability, Driver
from leeward.app import Context
from leeward.app.context import call_within
from leeward.app.idempotency import (
    CannotTell,
    Done,
    LeaseLost,
    NotDone,
    RepeatRefused,
    idempotent,
)
from leeward.app.idempotency.settings import Probe
from leeward.app.idempotency.settling import ProbeAnswer
from leeward.app.signatures import IDEMPOTENCY
from leeward.calls import Invoke
from leeward.testing import FakeClock, FaultyDriver
from leeward_contract_tests.contracts.base import Contract
from leeward_contract_tests.contracts.calls import SECONDS, fresh, settle
from leeward_contract_tests.contracts.capabilities import is_unsupported, needs
from leeward_contract_tests.contracts.observations import Runs, in_parallel
from leeward_contract_tests.fixtures import (
    ABSENT,
    COUNT,
    ECHO,
    FAIL,
    ITEMS,
    SETTLE,
    call_answer,
    ran_answer,
)

INVOKE = Capability.INVOKE
RECORDS = (Capability.TABLES, Capability.CONDITIONS, Capability.EXPIRY)

LEASE = 30.0
KEEP = 60.0
"""Seconds, of the keyed function over the table under contract."""

RACES = 12
"""Keys that a call and a settler race for."""


class SettleContract(Contract):
    """Find out what became of a call; where nothing did, make sure that nothing will."""

    @pytest.fixture
    def settles(self) -> bool:
        """Return whether the driver carries questions; if not, it has to refuse them."""
        return True

    @pytest.fixture
    def keys(self, client: Client, clock: FakeClock) -> KeyedFunction:
        """Return a keyed function whose records are in the table under contract."""
        return KeyedFunction(client, clock)

    @needs(INVOKE)
    def test_settle_reaches_the_function(self, driver: Driver, settles: bool) -> None:
        """Carry the question with its key, and how many voids the caller knows, 0 or more."""
        for voids in (0, 3):
            key, payload = fresh("key"), {"id": "42"}
            if not settles:
                assert is_unsupported(driver, settle(SETTLE, key, payload, voids))
                continue
            result = driver.perform(settle(SETTLE, key, payload, voids), SECONDS)
            assert result.outcome is Outcome.OK
            assert result.value == ran_answer(key, voids, {"age": 1.5, "payload": payload})

    @needs(INVOKE)
    def test_invoke_says_how_many_voids_are_known(self, driver: Driver, settles: bool) -> None:
        """Carry the number of voids with a call: one that lacks it never runs after a void."""
        if not settles:
            return
        key = fresh("key")
        for voids in (0, 2):
            call = Invoke(SETTLE, b"{}", key, marks=True, voids=voids)
            assert driver.perform(call, SECONDS).value == call_answer(key, voids)

    @needs(INVOKE)
    def test_settle_gives_what_the_function_says(
        self, client: Client, driver: Driver, clock: FakeClock, settles: bool
    ) -> None:
        """Carry the verdict, the result and the target that has answered."""
        key, sent = fresh("key"), clock.now() - 2.0

        def ask() -> Settled:
            return client.settle(key, function=SETTLE, payload={"id": "42"}, sent=sent)

        if not settles:
            with pytest.raises(Unsupported):
                ask()
            return
        settled = ask()
        assert (settled.verdict, settled.target) == (Verdict.RAN, driver.target)
        assert settled.result == {"age": 2.0, "payload": {"id": "42"}}

    @needs(INVOKE)
    def test_settle_runs_nothing(self, driver: Driver, runs: Runs, settles: bool) -> None:
        """Send the question where a payload would stand, so that nothing is done for it."""
        question = settle(COUNT, fresh("key"), runs.payload)
        assert settles or is_unsupported(driver, question)
        if settles:
            driver.perform(question, SECONDS)
        assert runs.count() == 0

    @needs(INVOKE)
    def test_settle_does_not_believe_other_answers(
        self, client: Client, settles: bool, subtests: pytest.Subtests
    ) -> None:
        """Leave a call unknown where its function repeats the question, or knows no question."""
        if not settles:
            return
        for function in (ECHO, FAIL, COUNT):
            key = fresh("key")
            with subtests.test(function):
                said = {"verdict": "ran", "key": key}
                settled = client.settle(key, function=function, payload=said, sent=0.0)
                assert (settled.verdict, settled.result) == (Verdict.UNKNOWN, None)

    @needs(INVOKE)
    def test_settle_knows_an_absent_function(self, client: Client, settles: bool) -> None:
        """Raise NotFound for a function that is not there: what its calls did, nobody says."""
        with pytest.raises(NotFound if settles else Unsupported):
            client.settle(fresh("key"), function=ABSENT)

    @needs(INVOKE)
    def test_settle_asks_only_who_can_answer(self, client: Client, recorder: FaultyDriver) -> None:
        """Send nothing to a function that is not known to answer: it could run the question."""
        settled = client.settle(fresh("key"), function="contract-unmarked")
        assert (settled.verdict, settled.reason) == (Verdict.UNKNOWN, "not_asked")
        assert recorder.calls == []

    @needs(*RECORDS)
    def test_settle_voids_a_key_without_record(self, keys: KeyedFunction) -> None:
        """Answer "not run", and keep to it: only a call that knows of the last void runs."""
        key = fresh("key")
        assert keys.settle(key) == ("not_run", None, 1)
        assert keys.settle(key) == ("not_run", None, 2)
        assert [keys.refusal(key, voids) for voids in (0, 1)] == ["voided"] * 2
        assert keys.call(key, voids=2) == {"number": 1}
        assert keys.refusal(key, voids=0) is None, "a repeat gets the result of the run"
        assert keys.settle(key) == ("ran", {"number": 1}, 2)
        assert keys.effects[key] == 1

    @needs(*RECORDS)
    def test_settle_finds_what_ran(self, keys: KeyedFunction) -> None:
        """Find the result of a call that has run, and leave its key as it is."""
        key = fresh("key")
        assert keys.call(key) == {"number": 1}
        assert keys.settle(key) == ("ran", {"number": 1}, 0)
        assert keys.call(key) == {"number": 1}
        assert keys.effects[key] == 1

    @needs(*RECORDS)
    def test_settle_waits_for_a_run_and_stops_a_late_one(
        self, keys: KeyedFunction, clock: FakeClock
    ) -> None:
        """Void a run only when its lease is over; then it begins no effect."""
        key = fresh("key")
        verdicts: list[tuple[str, Any, int]] = []

        def before_effect() -> None:
            verdicts.append(keys.settle(key))
            clock.advance(LEASE + 1)
            verdicts.append(keys.settle(key))

        keys.before_effect = before_effect
        with pytest.raises(LeaseLost):
            keys.call(key)
        assert verdicts == [("running", None, 0), ("not_run", None, 1)]
        assert keys.effects[key] == 0
        assert keys.settle(key) == ("not_run", None, 2)

    @needs(*RECORDS)
    def test_settle_voids_a_released_key(self, keys: KeyedFunction) -> None:
        """Void the key of a run that has failed before its effect, so that no repeat runs late."""
        key = fresh("key")
        keys.before_effect = _fail
        with pytest.raises(ZeroDivisionError):
            keys.call(key)
        keys.before_effect = lambda: None
        assert keys.settle(key) == ("not_run", None, 1)
        assert keys.refusal(key) == "voided"
        assert keys.call(key, voids=1) == {"number": 1}

    @needs(*RECORDS)
    def test_settle_asks_a_probe_where_a_record_cannot_say(
        self, client: Client, clock: FakeClock
    ) -> None:
        """Record what the probe has found; whatever it is, a run that is too slow goes no further.

        Without a word of the probe, the key stays unknown.
        """
        done: list[tuple[ProbeAnswer, tuple[str, Any, int]]] = [
            (CannotTell(), ("unknown", None, 0)),
            (Done({"number": 7}), ("ran", {"number": 7}, 0)),
            (NotDone(), ("not_run", None, 1)),
        ]
        for answer, settled in done:
            keys = KeyedFunction(client, clock, probe=lambda *_, answer=answer: answer)
            key = fresh("key")
            answers: list[tuple[str, Any, int]] = []

            def after_effect(
                key: str = key, keys: KeyedFunction = keys, answers: list[Any] = answers
            ) -> None:
                assert keys.settle(key)[0] == "running", "its lease is counted from here"
                clock.advance(LEASE + 1)
                answers.append(keys.settle(key))

            keys.after_effect = after_effect
            with pytest.raises(LeaseLost):
                keys.call(key)
            assert answers == [settled]
            assert keys.effects[key] == 1, "the second effect did not begin"
            assert keys.settle(key)[:2] == settled[:2]

    @needs(*RECORDS)
    def test_settle_and_a_call_at_once(self, keys: KeyedFunction) -> None:
        """Decide which comes first: a key is void, or the call has run, and never both."""
        for _ in range(RACES):
            key = fresh("key")

            def race(number: int, key: str = key) -> tuple[str, Any, int] | None:
                if number % 2:
                    return keys.settle(key)
                keys.refusal(key)
                return None

            verdicts = {said[0] for said in in_parallel(race) if said is not None}
            assert ("not_run" in verdicts) is (keys.effects[key] == 0), verdicts
            assert ("not_run" in verdicts) is (keys.settle(key)[0] == "not_run"), verdicts

    @needs(*RECORDS)
    def test_a_void_outlives_a_record(self, keys: KeyedFunction, clock: FakeClock) -> None:
        """Keep a void until no platform delivers the call any more, not for `keep` alone."""
        key = fresh("key")
        assert keys.settle(key) == ("not_run", None, 1)
        clock.advance(14 * 86_400.0)
        assert keys.refusal(key) == "voided"
        assert keys.effects[key] == 0


def _fail() -> None:
    """Raise, before anything has happened."""
    raise ZeroDivisionError


class KeyedFunction:
    """A keyed function, called and settled without a way that could fail.

    Attributes:
        effects: by key, how often it had its effect.
        before_effect: what happens in a run before its effect.
        after_effect: what happens behind it, and before a second one.
    """

    def __init__(self, client: Client, clock: FakeClock, probe: Probe | None = None) -> None:
        """Keep the client of the table with the records, the clock of everybody, and a probe."""
        self.effects: Counter[str] = Counter()
        self.before_effect: Callable[[], None] = lambda: None
        self.after_effect: Callable[[], None] | None = None
        self._clock = clock

        @idempotent(
            table=ITEMS,
            principal=None,
            lease=LEASE,
            keep=KEEP,
            effects="marked",
            probe=probe,
            name="contract",
            client=client,
            clock=clock,
        )
        def pay(order: dict[str, Any], context: Context) -> dict[str, int]:
            self.before_effect()
            context.effect()
            self.effects[context.idempotency_key] += 1
            if self.after_effect is not None:
                self.after_effect()
                context.effect()
                self.effects[context.idempotency_key] += 1
            return {"number": self.effects[context.idempotency_key]}

        self._pay = pay
        self._settle = getattr(pay, IDEMPOTENCY).settle

    def call(self, key: str, voids: int = 0) -> Any:
        """Call it with a key, knowing of so many voids."""
        context = self._context(key, voids)
        return call_within(context, self._pay, {"order": key}, context)

    def refusal(self, key: str, voids: int = 0) -> str | None:
        """Call it, and return why it was refused; None if it ran."""
        try:
            self.call(key, voids)
        except RepeatRefused as refused:
            return refused.reason
        return None

    def settle(self, key: str) -> tuple[str, Any, int]:
        """Settle a key that was just sent; return the verdict, the result and the voids."""
        context = self._context(key, 0)
        said = call_within(context, self._settle, 0.0, None, context)
        return said["verdict"], said.get("result"), said["voids"]

    def _context(self, key: str, voids: int) -> Context:
        clock = self._clock
        return Context("contract", key, 1, clock.monotonic() + SECONDS, clock, voids=voids)
