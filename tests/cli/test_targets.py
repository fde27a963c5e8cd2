from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Leeward
from tests.cli.provider import Script

FILE = """
cloud_provider = "local:a,local:b"
source = "shop"
trust_env = false

[functions.pay]
effect = "keyed"
dedup_scope = "group"
timeout = 30
names = { local = "prod-pay" }

[targets.google]
project = "shop"

[buses.orders]
timeout = 5

[buckets.reports]
home = "local:a"

[tables.orders]
key = ["customer", "order"]
home = "local:b"

[tables.stray]
home = "local:z"
"""


def _facts(leeward: Leeward, *args: str) -> dict[str, Any]:
    done = leeward("targets", "--json", *args)
    assert (done.code, done.err) == (0, "")
    facts: dict[str, Any] = json.loads(done.out)
    return facts


def test_everything_configured_is_shown(leeward: Leeward, bare: Path) -> None:
    """Order, origin, targets, and all that has a name, with the defaults of the rest."""
    (bare / "leeward.toml").write_text(FILE)
    facts = _facts(leeward)
    targets = facts.pop("targets")
    assert facts == {
        "order": ["local:a", "local:b"],
        "order_from": "file",
        "config": "leeward.toml",
        "trust_env": False,
        "source": "shop",
        "tables": [
            _named("orders", key=["customer", "order"], home="local:b", timeout=15.0),
            _named("stray", key=["id"], home="local:z", timeout=15.0),
            _named(None, key=["id"], home=None, timeout=15.0),
        ],
        "functions": [
            {
                **_named("pay", effect="keyed", dedup_scope="group", timeout=30.0, queue=None),
                "names": {"local": "prod-pay"},
            },
            _named(None, effect="unsafe", dedup_scope="target", timeout=60.0, queue=None),
        ],
        "buses": [
            _named("orders", timeout=5.0, on_all_down="raise"),
            _named(None, timeout=10.0, on_all_down="raise"),
        ],
        "buckets": [
            _named("reports", home="local:a", timeout=60.0),
            _named(None, home=None, timeout=60.0),
        ],
        "groups": [],
        "fail_back": "prefer_primary",
        "hedge": False,
        "unused_sections": ["google"],
    }
    assert [target["name"] for target in targets] == ["local:a", "local:b"]
    assert {"invoke", "tables"} <= set(targets[0]["capabilities"])
    assert targets[0]["settings"]["path"] == str(bare / ".leeward/local-a.sqlite3")
    assert (targets[0]["attempts"], targets[0]["last_outcome"]) == (0, None)


GROUP = """
cloud_provider = "local:a,local:b"
weights = { "local:b" = 2 }
[residency]
"local:a" = "eu"
local = "us"
[groups.pay]
functions = ["charge"]
residency = "us"
"""


def test_groups_and_residency_are_shown(leeward: Leeward, bare: Path) -> None:
    """An operator sees who may serve what, and where each target's data is."""
    (bare / "leeward.toml").write_text(GROUP)
    facts = _facts(leeward)
    assert [each["residency"] for each in facts["targets"]] == ["eu", "us"]
    (group,) = facts["groups"]
    assert (group["name"], group["targets"], group["fail_back"]) == (
        "pay",
        ["local:b"],
        "prefer_primary",
    )
    shown = leeward("targets").out
    assert "residency" in shown
    assert "closed" in shown


def _named(name: str | None, **rest: Any) -> dict[str, Any]:
    return {"name": name, **rest, "names": {}}


@pytest.mark.parametrize(
    ("args", "variable", "origin"),
    [
        ((), None, "default"),
        ((), "local", "CLOUD_PROVIDER"),
        (("--targets", "local"), "x", "--targets"),
    ],
)
def test_the_origin_of_the_order_is_shown(
    leeward: Leeward,
    monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...],
    variable: str | None,
    origin: str,
) -> None:
    """An operator sees which setting won."""
    if variable:
        monkeypatch.setenv("CLOUD_PROVIDER", variable)
    facts = _facts(leeward, *args)
    assert (facts["order"], facts["order_from"], facts["config"]) == (["local"], origin, None)


def test_the_only_target_is_every_tables_home(leeward: Leeward) -> None:
    """With one target nothing needs to be chosen."""
    assert [table["home"] for table in _facts(leeward)["tables"]] == ["local"]


def test_a_person_reads_it_as_tables(leeward: Leeward, bare: Path) -> None:
    """What would go wrong stands where it would: a table without a home, or with a wrong one."""
    (bare / "leeward.toml").write_text(FILE)
    done = leeward("targets")
    lines = [line.split("  ")[0] + "|" + " ".join(line.split()) for line in done.out.splitlines()]
    assert "order|order local:a, local:b (from file)" in lines
    assert "environment|environment not trusted" in lines
    assert 'unused|unused targets."google"' in lines
    assert "orders|orders customer + order local:b 15 s -" in lines
    assert "stray|stray id local:z: not in the order 15 s -" in lines
    assert "(any other)|(any other) id none: refused until it is set 15 s -" in lines
    assert "pay|pay keyed, shared dedup 30 s local: prod-pay" in lines
    assert "attempts|attempts none by this process" in lines


def test_what_a_file_names_is_counted_although_nothing_is_imported(
    leeward: Leeward, bare: Path
) -> None:
    """An app has handlers that the file does not count; it is named instead."""
    listed = '[targets.local]\nfunctions = { get-price = "shop:get_price", pay = "shop:pay" }\n'
    (bare / "leeward.toml").write_text(listed)
    assert _facts(leeward)["targets"][0]["settings"]["functions"] == "2"
    (bare / "leeward.toml").write_text('[targets.local]\napp = "shop:app"\n')
    settings = _facts(leeward)["targets"][0]["settings"]
    assert settings["app"] == "shop:app (not imported here)"
    assert {settings["functions"], settings["subscriptions"]} == {"those of the app"}


def test_no_target_is_asked_anything(leeward: Leeward, scripted: Callable[..., Script]) -> None:
    """Looking is free: the target is opened, described and closed."""
    script = scripted()
    facts = _facts(leeward)
    assert facts["targets"][0]["settings"] == {"kind": "scripted"}
    assert script.driver is not None
    assert (script.driver.calls, script.driver.closed) == ([], 1)


def test_what_a_module_prints_is_not_part_of_the_result(
    leeward: Leeward, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function's module that prints when it is imported does not break the JSON."""
    (bare / "chatty.py").write_text("print('loading')\n\n\ndef greet(who):\n    return who\n")
    (bare / "leeward.toml").write_text('[targets.local]\nfunctions = { greet = "chatty:greet" }\n')
    monkeypatch.syspath_prepend(bare)
    done = leeward("invoke", "greet", '"ada"', "--json")
    assert (done.code, done.err) == (0, "loading\n")
    assert json.loads(done.out)["value"] == "ada"
