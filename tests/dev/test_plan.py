"""What the process of an app is given: a plan, and a configuration without production."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leeward.config import load_config
from leeward_contract_tests.rows import each_row
from leeward_dev.plan import Plan, for_development, keeps_rows

DEPLOYED = """
cloud_provider = "{order}"
data_target = "{home}"
[worker]
app = "shop:app"
http = "0.0.0.0:8080"
health = "8081"
target = "postgres"
[tables.orders]
key = "id"
home = "{home}"
[buckets.files]
home = "{home}"
[groups.near]
functions = ["pack"]
targets = ["{home}"]
"""


@each_row(
    "order, home, given, chosen",
    {
        "clouds are for the deployed app": ("aws:a,aws:b", "aws:a", None, "local"),
        "what keeps rows is not": ("postgres,aws:a", "aws:a", None, "postgres,aws:a"),
        "an order that was asked for counts": ("aws:a", "aws:a", "aws:a", "aws:a"),
        "the embedded target": ("local:a,local:b", "local:a", None, "local:a,local:b"),
    },
)
def test_an_app_is_developed_where_rows_are_kept(
    tmp_path: Path, order: str, home: str, given: str | None, chosen: str
) -> None:
    """Without its cloud, a table has no home there; no address of a worker is opened."""
    file = tmp_path / "leeward.toml"
    file.write_text(DEPLOYED.format(order=order, home=home))
    config = load_config(given, file=file, env={})
    own = for_development(config, given, trust_env=False)
    assert ",".join(map(str, own.order)) == chosen
    assert (own.worker.http, own.worker.health) == (None, None)
    assert own.worker.target == ("postgres" if "postgres" in chosen else None)
    is_kept = chosen != "local"
    assert keeps_rows(config) == (is_kept and given is None)
    homes = (own.data_target, own.tables["orders"].home, own.buckets["files"].home)
    assert homes == ((home,) * 3 if is_kept else (None,) * 3)
    assert bool(own.groups) == is_kept


def test_a_plan_goes_through_a_pipe() -> None:
    """It comes out as it was; a pipe that ends too early is said to."""
    plan = Plan("shop:app", None, "leeward.toml", True, False, True, 5, (3, 4), 8700, "token")
    reading, writing = os.pipe()
    plan.send(writing)
    assert Plan.receive(reading) == plan
    os.close(writing)
    with pytest.raises(EOFError):
        Plan.receive(reading)
    os.close(reading)
