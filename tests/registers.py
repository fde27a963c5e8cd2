"""Functions that have kept their records for long, so that a missing record proves something."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.app.handlers import Handler, answer
from leeward.app.idempotency import settlement
from leeward.app.idempotency.register import ROLLOUT, doubt_of
from leeward.app.triggers import Delivery, Platform
from leeward.envelope import CLOCKS
from leeward.json_text import encode
from leeward.testing import FakeClock

LONG = 2 * (ROLLOUT + CLOCKS)
"""Seconds after which a register counts, whoever asks."""


def enter_register(handler: Handler, clock: FakeClock, payload: Any = None) -> None:
    """Ask a function about some key, which runs nothing: its register then says what it records."""
    given = {} if payload is None else {"payload": payload}
    question = encode({"settle": "warm", "age": 0.0, **given})
    asked = Delivery(question, "warm", "warm", 30.0, principal="warm", settles=True)
    platform = Platform("test", None, clock)
    for _ in range(50):  # its table may fail
        if answer(handler, asked, platform).failure is None:
            return
    raise AssertionError("the register cannot be written")


def let_registers_age(client: Any, *owners: str, table: str = "keys") -> None:
    """Make rows of a register as old as they need to be, where no clock can be moved."""
    for owner in owners:
        row = client.load_data(table, f":register:{owner}").item
        entries = [{**each, "since": each["since"] - LONG} for each in row["entries"]]
        client.store_data(table, {**row, "entries": entries})


def trust_registers(patch: pytest.MonkeyPatch) -> None:
    """Let every row of a register be as old as it needs to be: for functions of this process."""

    def doubt(register: Any, entries: Any, *rest: Any) -> Any:
        return doubt_of(register, tuple(each._replace(since=0.0) for each in entries), *rest)

    patch.setattr(settlement, "doubt_of", doubt)
