"""``leeward doctor`` over three clouds: where all is well, and with one fault of each kind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from leeward.cli.commands.doctor import examine
from leeward.cli.findings import CheckState, Finding
from leeward.config import load_config
from leeward_contract_tests.fixtures import BUCKET
from leeward_contract_tests.rows import each_row
from tests.demo.bench import Bench, bench

SECONDS = 5.0


@pytest.fixture(scope="module")
def clouds() -> Iterator[Bench]:
    with bench() as standing:
        yield standing


def _examined(
    clouds: Bench, folder: Path, *, toml: str = "", drop: str = "", late: float = 0.0, **env: str
) -> list[Finding]:
    """Let the doctor look, after the operator's file has had a part replaced and one added."""
    file = folder / "leeward.toml"
    old, _, new = drop.partition(" -> ")
    text = clouds.settings()
    assert old in text
    file.write_text(text.replace(old, new) + toml, encoding="utf-8")
    variables = {name: value for name, value in (clouds.variables() | env).items() if value}
    config = load_config(None, file=file, env=variables)
    return examine(config, variables, lambda: time.time() + late, SECONDS)


def test_where_all_is_well_nothing_is_wrong_and_nothing_happens(
    clouds: Bench, tmp_path: Path
) -> None:
    """Every check ends well or says why nobody can tell; nothing runs, nothing is published."""
    before = _happened(clouds)
    calls_of_functions = clouds.clouds["aws"].proxies["lambda"]
    calls_of_functions.keep()
    found = _examined(clouds, tmp_path, toml=f"[buckets.{BUCKET}]\n")
    assert [each for each in found if each.state is CheckState.FAULT] == []
    assert _happened(clouds) == before
    assert calls_of_functions.kept
    assert all(b"Invocation-Type: DryRun" in each for each in calls_of_functions.kept)
    well = {(each.target, each.check) for each in found if each.state is CheckState.OK}
    assert well >= {
        ("aws:us-east-1", "function charge-card"),
        ("aws:us-east-1", "bus orders"),
        ("aws:us-east-1", "table orders"),
        ("aws:us-east-1", f"bucket {BUCKET}"),
        ("azure:one", "queue charge-card"),
        ("google:us-central1", "bus orders"),
        ("order", "fallback of function charge-card"),
        *((target, check) for target in _TARGETS for check in ("credentials", "endpoint")),
    }
    asked = [each for each in found if each.state is CheckState.NOTE]
    assert {(each.target, each.check.partition(" ")[0]) for each in asked} == {
        ("azure:one", "function"),
        ("azure:one", "bus"),
        ("google:us-central1", "function"),
        ("google:us-central1", "clock"),
    }
    assert all("not known: " in each.message or each.check == "clock" for each in asked)


_TARGETS = ("aws:us-east-1", "azure:one", "google:us-central1")


def _happened(clouds: Bench) -> tuple[int, ...]:
    """Count what has run and what was published on clouds that keep it."""
    aws, google = (clouds.clouds[each] for each in ("aws", "google"))
    return len(aws.functions.begun), len(google.pubsub.published)


class Planted(NamedTuple):
    """A fault, and the one finding that has to tell of it: where, what, and a word of it."""

    change: dict[str, Any]
    target: str
    check: str
    word: str
    cut: str = ""


_OWN = 'names = { aws = "contract-echo"'

PLANTED = {
    "a setting that cannot be": Planted(
        {"drop": "cosmos_database = -> cosmos_databse ="},
        "azure:one",
        "settings",
        "cosmos_databse",
    ),
    "a wrong key": Planted(
        {"AWS_SECRET_ACCESS_KEY": "wrong"}, "aws:us-east-1", "credentials", "function charge-card"
    ),
    "nobody there": Planted({}, "google:us-central1", "endpoint", "bus orders", cut="google"),
    "a function that is not deployed": Planted(
        {"drop": f'{_OWN} -> names = {{ aws = "gone"'},
        "aws:us-east-1",
        "function charge-card",
        "is not there",
    ),
    "a topic that was not made": Planted(
        {"drop": 'google = "contract-events" -> google = "gone"'},
        "google:us-central1",
        "bus orders",
        "is not there",
    ),
    "a bus that was not made": Planted(
        {"drop": 'aws = "contract-events" -> aws = "gone"'},
        "aws:us-east-1",
        "bus orders",
        "is not there",
    ),
    "a container that was not made": Planted(
        {
            "drop": 'azure = "contract-items" -> azure = "gone"',
            "LEEWARD_DATA_TARGET": "azure:one",
        },
        "azure:one",
        "table orders",
        "is not there",
    ),
    "a bucket that was not made": Planted(
        {"toml": "[buckets.gone]\n"},
        "aws:us-east-1",
        "bucket gone",
        "is not there",
    ),
    "a key that the table has not": Planted(
        {"toml": 'key = ["customer", "order"]\n'},
        "aws:us-east-1",
        "table orders",
        "as it is configured",
    ),
    "a service that is not configured": Planted(
        {"drop": "\neventgrid_ -> \n# eventgrid_"},
        "azure:one",
        "capabilities",
        "bus orders",
    ),
    "a clock that is off": Planted({"late": 95.0}, "aws:us-east-1", "clock", "ahead of"),
    "no home": Planted({"LEEWARD_DATA_TARGET": ""}, "order", "home of orders", "there is none"),
    "a home where its data must not be": Planted(
        {"toml": 'residency = ["eu"]\n[residency]\naws = "us"\n'},
        "order",
        "residency",
        "in us",
    ),
    "a residency that leaves no target": Planted(
        {"toml": '[groups.g]\nfunctions = ["charge-card"]\nresidency = ["eu"]\n'},
        "order",
        "residency",
        "no target",
    ),
    "a group whose second target is away": Planted(
        {
            "toml": '[groups.g]\nbuses = ["orders"]\n'
            'targets = ["aws:us-east-1", "google:us-central1"]\n'
        },
        "order",
        "fallback of bus orders",
        "only aws:us-east-1",
        cut="google",
    ),
}


@each_row("planted", PLANTED)
def test_each_planted_fault_is_found_with_its_remedy(
    planted: Planted, clouds: Bench, tmp_path: Path
) -> None:
    """The finding names the target and what is wrong, and says what to do."""
    if planted.cut:
        clouds.do(f"cut {planted.cut}")
    try:
        found = _examined(clouds, tmp_path, **planted.change)
    finally:
        if planted.cut:
            clouds.do(f"back {planted.cut}")
    faults = [each for each in found if each.state is CheckState.FAULT]
    told = [each for each in faults if (each.target, each.check) == (planted.target, planted.check)]
    assert told, faults
    assert planted.word in told[0].message
    assert all(each.remedy for each in faults)
    assert "wrong" not in str(found).replace("went wrong", "")
