"""``leeward doctor`` as a command; tests/clouds/test_doctor.py has the faults of real services."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Leeward

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
