"""A payment while clouds fail: a smoke of `python -m tests.app.payments`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leeward.values import Effect
from tests.app.payments import beside
from tests.app.payments.simulated import CHARGED, DOUBLE, MOVED, SENT_AGAIN, UNKNOWN, play


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let the log be: it is long, and counted."""
    with caplog.at_level("CRITICAL"):
        yield


def test_a_keyed_payment_is_charged_once_on_whichever_cloud() -> None:
    """The call moves to other clouds after lost answers, and money moves once for each key."""
    counts = play(Effect.KEYED, 120, seed=5)
    assert counts[DOUBLE] == 0
    assert counts["charged once"] > 110
    assert min(counts[MOVED], counts[SENT_AGAIN]) > 60


def test_an_unsafe_payment_is_never_sent_again() -> None:
    """Whoever cannot know is told so."""
    counts = play(Effect.UNSAFE, 120, seed=5)
    assert (counts[DOUBLE], counts[SENT_AGAIN]) == (0, 0)
    assert counts["outcome unknown"] > 40


@pytest.mark.parametrize("effect", [Effect.KEYED, Effect.UNSAFE])
def test_a_payment_that_is_settled_ends_with_a_result_or_a_proved_failure(effect: Effect) -> None:
    """Each caller calls once; nobody is charged twice, or charged and told that it has not run."""
    counts = play(effect, 120, seed=5, settles=True)
    assert (counts[DOUBLE], counts[UNKNOWN], counts[CHARGED]) == (0, 0, 0)
    failures = sum(n for what, n in counts.items() if what.startswith("proved failure"))
    assert counts["paid"] + failures == 120
    assert counts["paid"] == counts["charged once"] > 70  # about 95, by what keys are minted


def test_releasing_the_key_on_every_exception_charges_twice() -> None:
    """What idempotency libraries do: the simulation finds it out."""
    assert play(Effect.KEYED, 120, 5, {Exception: "release"})[DOUBLE] > 0


def test_payments_beside_other_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    """On the schedule that all have, no caller of leeward's is left in doubt, or charged twice."""
    assert beside.main(["--payments", "60", "--python", "/nowhere"]) == 0
    assert "| charged twice | 0 |" in capsys.readouterr().out
