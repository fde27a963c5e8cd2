"""A function without records is settled by another one, which only reads: ``probe`` in
``leeward.toml``.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from leeward import (
    App,
    AsyncClient,
    CallError,
    Client,
    Config,
    ConfigError,
    Effect,
    NotFound,
    OutcomeUnknown,
    Settled,
    Verdict,
)
from leeward.calls import Invoke, Result
from leeward.config import FunctionConfig
from leeward.errors import Outcome
from leeward.local import Local
from leeward.testing import FakeClock, Fault, FaultyDriver
from leeward_contract_tests.rows import each_row
from tests.scripted import Scripted

PROBED = Config(functions={"pay": FunctionConfig(probe="payment-status")})
KEY = "order-42"


def ok(answer: Any) -> Result[Any]:
    return Result.ok(answer)


def settled(*answers: Result[Any], **options: Any) -> tuple[Settled, Scripted]:
    """Settle a key over a target that gives these answers."""
    driver = Scripted("a", *answers)
    with Client(driver, config=PROBED, clock=FakeClock(1e9)) as client:
        return client.settle(KEY, function="pay", **options), driver


def test_the_probe_gets_key_and_payload() -> None:
    """By a call that may be repeated; the question itself is put to nobody."""
    said = {"verdict": "ran", "key": KEY, "result": {"paid": 9.9}}
    found, driver = settled(ok(said), payload={"id": "42"})
    assert found == Settled(Verdict.RAN, {"paid": 9.9}, target="a")
    (call,) = driver.calls
    assert isinstance(call, Invoke)
    assert (call.function, call.effect) == ("payment-status", Effect.READ_ONLY)
    assert call.payload == b'{"key":"order-42","payload":{"id":"42"}}'
    _, driver = settled(ok(said))
    assert driver.calls[0].payload == b'{"key":"order-42"}'  # type: ignore[union-attr]


@each_row(
    "answer, verdict, reason",
    [
        ({"verdict": "not_run", "key": KEY}, Verdict.NOT_RUN, None),
        ({"verdict": "unknown", "key": KEY, "reason": "bank_down"}, Verdict.UNKNOWN, "bank_down"),
        ({"verdict": "ran", "key": "order-43"}, Verdict.UNKNOWN, "no_answer"),
        ({"verdict": "ran"}, Verdict.UNKNOWN, "no_answer"),
        ({"verdict": "done", "key": KEY}, Verdict.UNKNOWN, "no_answer"),
        ({"key": KEY}, Verdict.UNKNOWN, "no_answer"),
        ([KEY], Verdict.UNKNOWN, "no_answer"),
        (None, Verdict.UNKNOWN, "no_answer"),
    ],
)
def test_an_answer_is_about_the_key_or_none(
    answer: Any, verdict: Verdict, reason: str | None
) -> None:
    """A probe that answers about another key, or something else, is not believed."""
    found, _ = settled(ok(answer))
    assert (found.verdict, found.reason) == (verdict, reason)


def test_a_probe_is_asked_again_while_the_call_runs() -> None:
    """Or while it cannot be reached; as long as the caller says."""
    running = ok({"verdict": "running", "key": KEY, "retry_after": 2})
    lost = Result(Outcome.AMBIGUOUS)
    found, driver = settled(running, lost, running, ok({"verdict": "ran", "key": KEY}))
    assert (found.verdict, len(driver.calls)) == (Verdict.RAN, 4)
    found, _ = settled(*[running] * 9, timeout=5.0)
    assert (found.verdict, found.retry_after) == (Verdict.RUNNING, 2.0)
    found, _ = settled(*[lost] * 99, timeout=5.0)
    assert (found.verdict, found.reason) == (Verdict.UNKNOWN, "unreachable")
    with pytest.raises(NotFound):
        settled(Result(Outcome.NOT_FOUND))


def test_an_error_is_settled_by_the_probe_of_its_function() -> None:
    """The call of the error says which function, key and payload; blocking and awaited."""
    app = App("shop")
    paid: dict[str, Any] = {}

    @app.function()
    def pay(order: dict[str, Any], context: Any) -> None:
        paid[context.idempotency_key] = order

    @app.function(effect="read_only")
    def payment_status(question: dict[str, Any]) -> dict[str, Any]:
        key = question["key"]
        if key in paid:
            assert question["payload"] == paid[key]
            return {"verdict": "ran", "key": key, "result": paid[key]["id"]}
        return {"verdict": "not_run", "key": key}

    faulty = FaultyDriver(Local("local"))
    with Client(faulty, config=PROBED, app=app) as client:
        for fault, verdict in {
            Fault.LOSE_ANSWER: Verdict.RAN,
            Fault.LOSE_REQUEST: Verdict.NOT_RUN,
        }.items():
            faulty.fail(fault, times=1)
            with pytest.raises(OutcomeUnknown) as raised:
                client.invoke("pay", {"id": "42"})
            assert client.settle(raised.value).verdict is verdict

    async def run(error: CallError) -> Settled:
        async with AsyncClient(Local("local"), config=PROBED, app=app) as client:
            return await client.settle(error)

    paid[raised.value.call.idempotency_key] = {"id": "42"}
    assert asyncio.run(run(raised.value)).result == "42"


@each_row(
    "text, message",
    [
        ('[functions.pay]\nprobe = "pay"', "functions.pay.probe .* is the function itself"),
        (
            '[functions.pay]\nprobe = "status"\n[functions.status]\neffect = "unsafe"',
            "'status' is declared 'unsafe'.*read_only",
        ),
        ("[functions.pay]\nprobe = 1", "functions.pay.probe .* must be a non-empty string"),
    ],
)
def test_a_probe_that_cannot_be_one_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """When the client opens."""
    path = tmp_path / "leeward.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        Client("local", config=path)


def test_a_probe_is_a_function_of_the_app_or_has_a_section() -> None:
    """Where an app says which functions there are; and it is declared to read only."""
    app = App("shop")

    @app.function()
    def payment_status(question: dict[str, Any]) -> None:
        """Tell."""

    with pytest.raises(ConfigError, match="declared 'unsafe'"):
        Client("local", config=PROBED, app=app)
    misspelt = Config(functions={"pay": FunctionConfig(probe="payment-statsu")})
    with pytest.raises(ConfigError, match="did you mean 'payment-status'"):
        Client("local", config=misspelt, app=app)
    elsewhere = FunctionConfig(effect=Effect.READ_ONLY)
    both = {"pay": FunctionConfig(probe="bank-status"), "bank-status": elsewhere}
    with Client("local", config=Config(functions=both), app=app):
        pass
