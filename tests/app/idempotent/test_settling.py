"""A call whose outcome is unknown is settled: on request, and by the router before it raises."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Timer
from threading import enumerate as enumerate_threads
from typing import Any

import pytest

from leeward import (
    App,
    AsyncClient,
    Client,
    FunctionError,
    OutcomeUnknown,
    TargetUnavailable,
    Verdict,
)
from leeward.app import Problem, idempotent
from leeward.app.idempotency import CannotTell, Done, NotDone, current_run, effect
from leeward.local import Local
from leeward.testing import Fault, FaultyDriver
from tests.registers import let_registers_age


class Bank:
    """Where money moves. `before` and `after` are run around a charge, and may raise."""

    def __init__(self) -> None:
        self.charges: list[str] = []
        self.before: Callable[[], object] = lambda: None
        self.after: Callable[[], object] = lambda: None
        self.probe_waits: Callable[[], object] = lambda: None
        self.tells = True
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def charge(self, order: str) -> None:
        """Take the money for an order."""
        self.before()
        self.charges.append(order)
        self.after()

    def probe(self, key: str, _context: object, notes: tuple[str, ...]) -> object:
        """Say whether an order was paid."""
        self.asked.append((key, notes))
        self.probe_waits()
        if not self.tells:
            return CannotTell()
        return Done({"paid": key}) if key in self.charges else NotDone()


def fail() -> None:
    """Lose an answer."""
    raise ConnectionError


@contextmanager
def shop(
    path: Path, bank: Bank, *, effect_of: str = "keyed", **declared: Any
) -> Iterator[tuple[Client, FaultyDriver]]:
    """Open a client of a shop whose target can be made to fail."""
    app = App("shop")
    options = {"effects": "marked", "probe": bank.probe, "lease": 0.5, **declared}

    @app.function(effect=effect_of)  # type: ignore[arg-type]
    @idempotent(table="keys", key="order", principal=None, **options)
    def pay(order: str) -> dict[str, str]:
        effect()
        run = current_run()
        assert run is not None
        run.note(f"charge of {order}")
        bank.charge(order)
        return {"paid": order}

    @app.function()
    def plain(order: str) -> str:
        bank.charge(order)
        return order

    driver = FaultyDriver(Local(path=str(path / "shop.sqlite3")))
    with Client(driver, app=app) as client:
        yield client, driver


def lose(driver: FaultyDriver, fault: Fault, times: int = 1) -> None:
    """Lose the next calls of functions."""
    driver.fail(fault, verb="invoke", times=times)


@pytest.mark.parametrize("effect_of", ["keyed", "unsafe"])
@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.LOSE_REQUEST])
def test_a_lost_answer_is_settled_before_the_call_ends(
    tmp_path: Path, fault: Fault, effect_of: str
) -> None:
    """The caller gets the result, and the money moves once."""
    bank = Bank()
    with shop(tmp_path, bank, effect_of=effect_of) as (client, driver):
        lose(driver, fault)
        assert client.invoke("pay", "42", timeout=10).value == {"paid": "42"}
    assert bank.charges == ["42"]


def test_it_is_not_settled_where_the_caller_says_so(tmp_path: Path) -> None:
    """The error has what `settle` needs."""
    bank = Bank()
    with shop(tmp_path, bank, effect_of="unsafe") as (client, driver):
        lose(driver, Fault.LOSE_ANSWER)
        with pytest.raises(OutcomeUnknown) as caught:
            client.invoke("pay", "42", on_unknown="raise")
        settled = client.settle(caught.value)
    assert (settled.verdict, settled.result) == (Verdict.RAN, {"paid": "42"})


def test_what_was_settled_as_not_run_never_runs(tmp_path: Path) -> None:
    """The late delivery is refused, and a new call with the key runs."""
    bank = Bank()
    with shop(tmp_path, bank, effect_of="unsafe") as (client, driver):
        lose(driver, Fault.LOSE_REQUEST)
        with pytest.raises(OutcomeUnknown) as caught:
            client.invoke("pay", "42", on_unknown="raise")
        assert client.settle(caught.value).verdict is Verdict.NOT_RUN
        late = next(call for call in driver.calls if call.verb == "invoke")
        refused = driver.perform(late, 5.0)
        assert (refused.reason, bank.charges) == ("voided", [])
        assert client.invoke("pay", "42", idempotency_key=caught.value.idempotency_key).value
        refused = driver.perform(late, 5.0)
    assert (refused.value, bank.charges) == ({"paid": "42"}, ["42"])


def test_a_function_that_has_failed_in_doubt_is_settled_by_its_probe(tmp_path: Path) -> None:
    """It has charged, and then raised: the probe has the result."""
    bank = Bank()
    bank.after = fail
    with shop(tmp_path, bank) as (client, _):
        assert client.invoke("pay", "42").value == {"paid": "42"}
    assert bank.charges == ["42"]
    assert bank.asked == [("42", ("charge of 42",))]


def test_settling_replaces_no_answer_that_has_come(tmp_path: Path) -> None:
    """A failure that is replayed reaches its first caller as itself; its record says it ran."""
    bank = Bank()

    def decline() -> None:
        raise Problem("no money", status=402, reason="no_money", retryable=True, retry_after=7)

    bank.after = decline
    with (
        shop(tmp_path, bank, failures="replay") as (client, _),
        pytest.raises(FunctionError) as caught,
    ):
        client.invoke("pay", "42")
    error = caught.value
    assert (error.error_type, error.error_message, error.reason) == (
        *("Problem", "no money", "no_money"),
    )
    assert (error.retryable, error.retry_after, error.ran) == (True, 7, "yes")
    assert bank.charges == ["42"]


def test_a_function_that_has_failed_before_its_effect_is_proved_not_to_have_run(
    tmp_path: Path,
) -> None:
    """The lease has to be over before the probe's word counts."""
    bank = Bank()
    bank.before = fail
    with shop(tmp_path, bank) as (client, _):
        with pytest.raises(FunctionError) as caught:
            client.invoke("pay", "42", timeout=10)
        assert caught.value.ran == "no"
        bank.before = lambda: None
        key = caught.value.call.idempotency_key
        assert client.invoke("pay", "42", idempotency_key=key).value == {"paid": "42"}
    assert bank.charges == ["42"]


def test_a_repeat_asks_the_probe(tmp_path: Path) -> None:
    """Nobody has to settle a key by hand that a probe can."""
    bank = Bank()
    bank.after = fail
    with shop(tmp_path, bank) as (client, _):
        with pytest.raises(FunctionError):
            client.invoke("pay", "42", on_unknown="raise")
        with pytest.raises(FunctionError):
            client.invoke("pay", "43", on_unknown="raise")
        bank.after = lambda: None
        bank.charges.remove("43")
        assert client.invoke("pay", "42", on_unknown="raise").value == {"paid": "42"}
        time.sleep(0.6)
        assert client.invoke("pay", "43", on_unknown="raise").value == {"paid": "43"}
    assert bank.charges == ["42", "43"]


def test_what_a_probe_cannot_tell_stays_unknown(tmp_path: Path) -> None:
    """And the error says why."""
    bank = Bank()
    bank.after, bank.tells = fail, False
    with shop(tmp_path, bank) as (client, _):
        with pytest.raises(FunctionError) as caught:
            client.invoke("pay", "42")
        assert caught.value.ran == "maybe"
        settled = client.settle(caught.value)
    assert (settled.verdict, settled.reason) == (Verdict.UNKNOWN, "cannot_tell")


def test_probes_that_hang_keep_few_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread cannot be stopped; beyond a limit a probe is not asked."""
    monkeypatch.setattr("leeward.app.idempotency.settlement.MOST_PROBES", 2)
    bank, is_over = Bank(), Event()
    bank.after = fail
    with shop(tmp_path, bank) as (client, _):
        with pytest.raises(FunctionError) as caught:
            client.invoke("pay", "42", on_unknown="raise")
        bank.probe_waits = is_over.wait
        for _ in range(4):
            assert client.settle(caught.value, timeout=0.6).verdict is not Verdict.NOT_RUN
        threads = [each for each in enumerate_threads() if each.name == "leeward-probe"]
        assert (len(threads), len(bank.asked)) == (2, 2)
        is_over.set()
        for each in threads:
            each.join(30)
        assert client.settle(caught.value, timeout=5).verdict is Verdict.RAN


def test_a_run_under_way_is_waited_for(tmp_path: Path) -> None:
    """Its answer was lost, and it goes on: the question is asked until it has ended."""
    bank = Bank()
    go_on = Event()
    bank.before = lambda: go_on.wait(60)
    with shop(tmp_path, bank, effect_of="unsafe", lease=60) as (client, _):
        with pytest.raises(OutcomeUnknown) as caught:
            client.invoke("pay", "42", timeout=1, on_unknown="raise")
        Timer(0.3, go_on.set).start()
        assert client.settle(caught.value, timeout=10).result == {"paid": "42"}
    assert bank.charges == ["42"]


def test_a_call_that_takes_too_long_is_settled_within_its_deadline(tmp_path: Path) -> None:
    """An attempt leaves time for the question, which is asked once more just before the end."""
    bank, go_on = Bank(), Event()
    bank.before = lambda: go_on.wait(60)
    with shop(tmp_path, bank, effect_of="unsafe", lease=60) as (client, _):
        Timer(1.55, go_on.set).start()
        answer = client.invoke("pay", "42", timeout=2)
    assert (answer.value, bank.charges) == ({"paid": "42"}, ["42"])
    assert [attempt.read_back for attempt in answer.attempts][:2] == [False, True]


def test_a_call_that_cannot_be_made_again_has_not_run(tmp_path: Path) -> None:
    """It was settled as not run, and the function cannot be reached any more."""
    bank = Bank()
    with shop(tmp_path, bank, effect_of="unsafe") as (client, driver):
        lose(driver, Fault.LOSE_REQUEST)
        lose(driver, Fault.REFUSE, 10)
        with pytest.raises(TargetUnavailable, match="did not run"):
            client.invoke("pay", "42", timeout=3)
    assert bank.charges == []


def test_a_call_whose_key_is_void_is_made_again_as_often_as_it_takes(tmp_path: Path) -> None:
    """Its first attempt was lost, and its second one learns that the key is void."""
    bank = Bank()
    with shop(tmp_path, bank) as (client, driver):
        client.settle("k", function="pay", payload="42")
        let_registers_age(client, "shop/pay")
        settled = client.settle(
            "k", function="pay", payload="42", sent=time.time(), targets="local"
        )
        assert settled.verdict is Verdict.NOT_RUN
        lose(driver, Fault.LOSE_REQUEST)
        answer = client.invoke("pay", "42", idempotency_key="k", on_unknown="raise")
    assert (answer.value, bank.charges) == ({"paid": "42"}, ["42"])


def test_a_function_without_records_is_not_asked(tmp_path: Path) -> None:
    """It could take the question for a call."""
    bank = Bank()
    with shop(tmp_path, bank) as (client, driver):
        lose(driver, Fault.LOSE_ANSWER)
        with pytest.raises(OutcomeUnknown) as caught:
            client.invoke("plain", "42")
        settled = client.settle(caught.value)
    assert (settled.verdict, settled.reason, bank.charges) == (
        Verdict.UNKNOWN,
        "not_asked",
        ["42"],
    )


def test_tasks_settle_as_threads_do(tmp_path: Path) -> None:
    """The same, awaited."""
    asyncio.run(_settle_in_tasks(tmp_path))


async def _settle_in_tasks(tmp_path: Path) -> None:
    app, charges = App("shop"), list[str]()

    @app.function(effect="unsafe")
    @idempotent(table="keys", principal=None)
    async def pay(order: str) -> str:
        charges.append(order)
        return order

    driver = FaultyDriver(Local(path=str(tmp_path / "shop.sqlite3")))
    async with AsyncClient(driver, app=app) as client:
        lose(driver, Fault.LOSE_ANSWER)
        assert (await client.invoke("pay", "42", timeout=10)).value == "42"
        lose(driver, Fault.LOSE_ANSWER)
        with pytest.raises(OutcomeUnknown) as caught:
            await client.invoke("pay", "43", on_unknown="raise")
        settled = await client.settle(caught.value)
    assert (settled.result, charges) == ("43", ["42", "43"])
