"""``leeward doctor`` as a command; tests/clouds/test_doctor.py has the faults of real services."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leeward.adapter import Capability, Driver, TargetConfig
from leeward.calls import Look, LookResult, Result
from leeward.calls.looks import FUNCTION, TABLE
from leeward.cli.commands.doctor import ask
from leeward.cli.findings import CheckState, judge
from leeward.errors import ConfigError
from leeward.local import Local
from leeward.registry import BUILT_IN
from leeward_contract_tests.rows import each_row
from tests.cli.conftest import Leeward
from tests.contract.clouds import Lacking
from tests.scripted import Scripted

SHOP = """
cloud_provider = "local:a,local:b"
[functions.pay]
effect = "idempotent"
[tables.orders]
home = "local:a"
[targets.local]
path = ":memory:"
functions = { pay = "examined_shop:pay" }
"""


def test_the_doctor_says_one_line_for_each_check_and_ends_with_0(
    leeward: Leeward, bare: Path
) -> None:
    """Where a failover can happen the last line says so, and the JSON has every finding."""
    (bare / "leeward.toml").write_text(SHOP)
    (bare / "examined_shop.py").write_text(
        "def pay(payload):\n    raise SystemExit('it was called')\n"
    )
    done = leeward("doctor")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "A failover can happen."
    told = json.loads(leeward("doctor", "--json").out)
    assert (told["ok"], told["faults"]) == (True, 0)
    fallback = next(
        each for each in told["findings"] if each["check"] == "fallback of function pay"
    )
    assert fallback == {
        "target": "order",
        "check": "fallback of function pay",
        "state": "ok",
        "message": "local:a, then local:b",
        "remedy": "",
        "concerns": [],
    }


@each_row(
    "order, last",
    [
        (
            "local,http",
            "A failover can happen for invoke. enqueue, publish_event: one target each.",
        ),
        (
            "rows,http",
            "No fault. No call can fail over; invoke, enqueue, publish_event: one target each.",
        ),
    ],
)
def test_the_doctor_says_for_which_calls_a_failover_can_happen(
    bare: Path, leeward: Leeward, monkeypatch: pytest.MonkeyPatch, order: str, last: str
) -> None:
    """Where the targets are not of one kind; a table has one home in any case."""
    monkeypatch.setitem(BUILT_IN, "rows", f"{__name__}:open_rows")
    functions = 'functions = { pay = "http://127.0.0.1:1/pay" }'
    (bare / "leeward.toml").write_text(f'cloud_provider = "{order}"\n[targets.http]\n{functions}\n')
    done = leeward("doctor")
    assert (done.code, done.out.splitlines()[-1]) == (0, last)


def open_rows(config: TargetConfig) -> Driver:
    """Open a target without functions."""
    return Lacking(Local(config.name), Capability.INVOKE)


def test_one_target_cannot_fail_over(bare: Path, leeward: Leeward) -> None:
    """So the doctor promises no failover."""
    (bare / "leeward.toml").write_text('cloud_provider = "local"\n[functions.pay]\n')
    done = leeward("doctor")
    assert "failover" not in done.out
    (bare / "leeward.toml").write_text('cloud_provider = "local"\n')
    done = leeward("doctor")
    told = "No fault. local is the only target, so nothing can fail over."
    assert (done.code, done.out.splitlines()[-1]) == (0, told)


def test_one_place_under_two_names_is_a_fault(leeward: Leeward, bare: Path) -> None:
    """Clients refuse such an order, so no failover is promised; the other targets are looked at."""
    (bare / "leeward.toml").write_text(SHOP.replace('":memory:"', '"shop.db"'))
    (bare / "examined_shop.py").write_text("def pay(payload):\n    return None\n")
    done = leeward("doctor", "--json")
    found = json.loads(done.out)["findings"]
    states = {each["target"]: each["state"] for each in found if each["check"] == "settings"}
    assert (done.code, states) == (9, {"local:a": "ok", "local:b": "fault"})
    (fault,) = (each for each in found if each["state"] == "fault" and each["target"] == "local:b")
    assert "the order has one place twice: 'local:a' and 'local:b'" in fault["message"]


def test_a_fault_ends_with_9_and_says_what_to_do(leeward: Leeward, bare: Path) -> None:
    """A function that only one target has, and a table without a home, are told with a remedy."""
    text = SHOP.replace("[targets.local]", '[targets."local:a"]').replace('home = "local:a"', "")
    (bare / "leeward.toml").write_text(text)
    (bare / "examined_shop.py").write_text("def pay(payload):\n    return None\n")
    done = leeward("doctor", "--json")
    assert done.code == 9
    faults = {
        (each["target"], each["check"]): each["remedy"]
        for each in json.loads(done.out)["findings"]
        if each["state"] == "fault"
    }
    assert set(faults) == {
        ("local:b", "function pay"),
        ("order", "home of orders"),
        ("order", "fallback of function pay"),
    }
    assert all(faults.values())


def exported(folder: Path, *expected: tuple[str, str, str]) -> None:
    """Write what `leeward export` says at the end of its files."""
    entries = [dict(zip(("kind", "name", "target"), each, strict=True)) for each in expected]
    folder.mkdir()
    for region in ("a", "b"):
        (folder / region).mkdir()
        file = folder / region / "leeward.expected.json"
        file.write_text(json.dumps({"leeward": entries}))


def test_the_doctor_compares_what_was_exported_with_what_is_there(
    leeward: Leeward, bare: Path
) -> None:
    """What a file has and a target has not; what leeward.toml names and no file has; no target."""
    (bare / "leeward.toml").write_text(SHOP + '[tables.stock]\nhome = "local:a"\n')
    text = "def pay(payload):\n    raise SystemExit('it was called')\n"
    (bare / "examined_shop.py").write_text(text)
    exported(
        bare / "out",
        ("function", "pay", "local:a"),
        ("function", "refund", "local:a"),
        ("table", "orders", "local:a"),
        ("function", "pay", "local:gone"),
    )
    done = leeward("doctor", "--json", "--exported", str(bare / "out"))
    assert done.code == 9
    told = [
        (each["target"], each["check"], each["state"], each["message"])
        for each in json.loads(done.out)["findings"]
        if each["check"].startswith("exported")
    ]
    not_compared = "is there; how it is set up was not compared"
    assert told == [
        ("local:a", "exported function pay", "ok", not_compared),
        (
            *("local:a", "exported function refund", "fault"),
            "is not there: no function 'refund' is registered",
        ),
        ("local:a", "exported table orders", "ok", not_compared),
        (
            *("local:gone", "exported target", "fault"),
            "the files are for it, and the order is local:a, local:b",
        ),
        (
            *("order", "exported table stock", "fault"),
            "leeward.toml names it, and no exported file has it",
        ),
    ]


@each_row("text", ["", "[]", '{"leeward": [{"kind": "x"}]}', '{"leeward": []}', "{}"])
def test_a_folder_that_was_not_exported_is_refused(leeward: Leeward, bare: Path, text: str) -> None:
    """Whatever a file there has in it."""
    (bare / "leeward.toml").write_text(SHOP)
    (bare / "examined_shop.py").write_text("def pay(payload):\n    return None\n")
    (bare / "leeward.expected.json").write_text(text)
    done = leeward("doctor", "--exported", str(bare))
    assert (done.code, done.out) == (2, "")
    assert "leeward export" in done.err or "run that again" in done.err


class Telling(Scripted):
    """A target whose look tells a time."""

    def __init__(self, time: float) -> None:
        super().__init__("scripted")
        self._time = time

    def look(self, look: Look, timeout: float) -> Result[Any]:
        """Tell it."""
        del look, timeout
        return Result.ok(LookResult(time=self._time))


@each_row("time, offset", [(100.0, 0.0), (99.4, 0.0), (102.9, 0.0), (105.5, 3.5), (90.0, -10.0)])
def test_a_clock_is_off_by_what_lies_outside_the_look(time: float, offset: float) -> None:
    """A target tells whole seconds, some time between the start of a look at 100 and its end."""
    clock: Iterator[float] = iter((100.0, 102.0))
    answered = ask(Telling(time), Look("f", FUNCTION), lambda: next(clock), 1.0)
    assert answered.offset == pytest.approx(offset)


class Unsound(Telling):
    """Has a setting that is found to be wrong when something is first to be sent."""

    def look(self, look: Look, timeout: float) -> Result[Any]:
        """Say so."""
        raise ConfigError("libpq does not understand the url of this target")


def test_a_target_that_cannot_be_asked_is_a_fault() -> None:
    """Nobody was reached, so no network is to blame, and no check may say that it went well."""
    answered = ask(Unsound(0.0), Look("t", TABLE), lambda: 0.0, 1.0)
    credentials, endpoint, _, thing = judge("one", [answered])
    assert (credentials.state, thing.state) == (CheckState.NOTE, CheckState.NOTE)
    assert (endpoint.state, endpoint.remedy) == (CheckState.FAULT, "do what the message says")
    assert "does not understand the url" in endpoint.message
