"""A mistake in what is to be exported is refused before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from leeward import App, ConfigError
from leeward.cli.app import app as command_line
from leeward_contract_tests.rows import each_row
from leeward_deploy.recipe import PACKAGERS, Entry, PackageSpec, offer_of
from tests.packages.exported import (
    CLOUDS,
    EVERYTHING,
    ORDERS,
    ZONES,
    check_export,
    config_of,
    everything,
    settings,
)


def test_a_zone_of_another_domain_is_refused(tmp_path: Path) -> None:
    """With the field and the remedy."""
    text = settings("azure", 'zone = "example.org"') + EVERYTHING
    text = text.replace(f'zone = "{ZONES["azure"]}"\n', "")
    with pytest.raises(ConfigError, match="not below the zone"):
        check_export("azure", everything("azure"), config_of(tmp_path, text))


@pytest.mark.parametrize("cloud", ["aws", "google"])
def test_a_standby_that_cannot_answer_is_refused(tmp_path: Path, cloud: str) -> None:
    """With 0 instances it would never be well; on Azure an instance starts for the health."""
    config = config_of(tmp_path, settings(cloud, "standby_instances = 0") + EVERYTHING)
    with pytest.raises(ConfigError, match="must be 1 or more, to answer a health"):
        check_export(cloud, everything(cloud), config)


DOMAIN = '\n[export.aws]\ndomain = "orders.example.com"\nzone = "Z1"'

TWO_TOPICS = '\n[buses.b]\nnames = { "google:europe-west1" = "other" }'

TWO_KEYS = '[tables.a]\nnames = { aws = "b" }\n[tables.b]\nkey = ["x", "y"]'
TWO_HOMES = '\n[tables.a]\nhome = "{0}"\n[tables.b]\nhome = "{1}"\n'
SAME_ACCOUNT = (
    '[targets."azure:westeurope"]\ncosmos_endpoint = "https://one.documents.azure.com"\n'
    'cosmos_database = "a"\n'
    '[targets."azure:northeurope"]\ncosmos_endpoint = "https://one.documents.azure.com"\n'
    'cosmos_database = "b"\n'
)

ORDERED: dict[str, tuple[str, str]] = {
    "tables of two homes in one account": (
        f'cloud_provider = "{ORDERS["azure"]}"'
        + TWO_HOMES.format(*ORDERS["azure"].split(","))
        + SAME_ACCOUNT,
        "homes in westeurope, northeurope, and an account of Cosmos DB is in one region",
    ),
    "tables of two homes in no account": (
        f'cloud_provider = "{ORDERS["azure"]}"' + TWO_HOMES.format(*ORDERS["azure"].split(",")),
        "give each of these targets a cosmos_endpoint of its own",
    ),
    "tables of two homes in one database": (
        f'cloud_provider = "{ORDERS["google"]}"' + TWO_HOMES.format(*ORDERS["google"].split(",")),
        "europe-west1, and a database of Firestore is in one region; give each of these targets",
    ),
    "no region": ('cloud_provider = "aws"', "'aws' has no region; write it as aws:REGION"),
    "no home": (f'cloud_provider = "{ORDERS["aws"]}"\n[tables.t]', r"tables.t\] has no home"),
    "a home elsewhere": (
        f'cloud_provider = "{ORDERS["aws"]}"\n[buckets.b]\nhome = "google:us-central1"',
        r"home of \[buckets.b\] is 'google:us-central1', which is not in the order",
    ),
    "one region twice": (
        'cloud_provider = "aws,aws:us-east-1"\n[targets.aws]\nregion = "us-east-1"',
        "two targets of aws are in us-east-1",
    ),
    "a third region": (
        'cloud_provider = "aws:us-east-1,aws:us-east-2,aws:us-west-2"' + DOMAIN,
        "fails over from one region to a second",
    ),
    "a name that is an expression": (
        'cloud_provider = "aws:us-east-1"\n[buses.b]\nnames = { aws = "${file(1)}" }',
        r"buses.b\] is called '\$\{file\(1\)\}', which is an expression",
    ),
    "a bus that is two topics": (
        'cloud_provider = "google:us-central1,google:europe-west1"' + TWO_TOPICS,
        "the bus 'b' would be two topics of one project, 'b' and 'other'",
    ),
    "two keys of one table": (
        'cloud_provider = "aws:us-east-1"\ndata_target = "aws:us-east-1"\n' + TWO_KEYS,
        r"\[tables.a\] and \[tables.b\] are both 'b', with two keys; give",
    ),
    "no such region": ('cloud_provider = "aws:us-eest-1"', "did you mean 'us-west-1'"),
}


@each_row("text, told", ORDERED)
def test_an_order_that_cannot_be_exported_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """Every target has a region, every table and bucket a home in the order."""
    config = config_of(tmp_path, text)
    cloud = config.order[0].provider
    asked = everything(cloud)
    with pytest.raises(ConfigError, match=told):
        check_export(cloud, asked, config)


def test_a_function_that_is_called_health_is_in_nobodys_way(tmp_path: Path) -> None:
    """On Google it has one place, and the other is refused."""
    app = App("shop")
    app.function(name="health")(len)
    asked = PackageSpec(app, Entry("m", "a"), "3.13", "x86_64")
    with pytest.raises(ConfigError, match="load balancer answers /health itself"):
        check_export("google", asked, config_of(tmp_path, settings("google")))


def test_an_app_that_nobody_calls_by_http_has_no_domain(tmp_path: Path) -> None:
    """What is asked for its health, and fails over, is a function that is called by HTTP."""
    quiet = App("quiet")
    quiet.on_message("parcels")(len)
    asked = PackageSpec(quiet, Entry("m", "a"), "3.13", "x86_64")
    for cloud in CLOUDS:
        config = config_of(tmp_path, settings(cloud))
        with pytest.raises(ConfigError, match="no function that is called by HTTP"):
            check_export(cloud, asked, config)
        check_export(cloud, asked, config._replace(export={}))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_a_platform_does_not_run_is_refused_by_name(cloud: str) -> None:
    """A Python or a processor that it has not."""
    recipe_of = offer_of(PACKAGERS, cloud)
    asked = everything(cloud)
    with pytest.raises(ConfigError, match=r"no Python 3\.10 .* may be 3\.11, 3\.12, 3\.13, 3\.14"):
        recipe_of(asked._replace(python="3.10"))
    if cloud != "aws":
        with pytest.raises(ConfigError, match="arm64; leave --arch out"):
            recipe_of(asked._replace(arch="arm64"))


@each_row(
    "args, told",
    [
        ((), "nothing says where the app is to run; name the order with --targets"),
        (
            ("--targets", "local"),
            "no target of the order (local) can be exported",
        ),
        (("--no-trust-env",), "leeward export imports the app"),
        (("--source", "nowhere"), "nothing says where"),
        (("--targets", "aws:us-east-1", "--arch", "mips"), "--arch is 'mips'"),
        (("--targets", "aws:us-east-1", "--python", "3.9"), "Lambda has no Python 3.9"),
        (("--config", "absent.toml", "--targets", "aws:us-east-1"), "absent.toml"),
    ],
)
def test_a_command_line_that_cannot_be_exported_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], told: str
) -> None:
    """And nothing is written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)  # that is Python's own file
    (tmp_path / "small.py").write_text("from leeward import App\n\napp = App('small')\n")
    tmp_path.chmod(0o755)
    ran = CliRunner().invoke(command_line, ["export", "terraform", *args])
    assert ran.exit_code == 2, ran.output
    assert told in " ".join(ran.stderr.split())
    assert [each.name for each in tmp_path.iterdir()] == ["small.py"]
