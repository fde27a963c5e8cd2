"""`[deploy]` says what infrastructure files say beside the app: names, sizes, limits, rights."""

from __future__ import annotations

from pathlib import Path

import pytest

from leeward import App, ConfigError
from leeward.config import load_settings
from leeward.workflow import Flow, Ref
from leeward_contract_tests.rows import each_row
from leeward_deploy.commands.export import deployment_of
from leeward_deploy.commands.package import PackageRequest, spec_of
from leeward_deploy.facts import facts_of
from leeward_deploy.google.facts import CLOUD
from leeward_deploy.rights import rights_of
from leeward_deploy.settings import check_settings, read_settings
from leeward_deploy.uv import PackageSource
from tests.packages.everything import app as everything
from tests.packages.exported import SHOP, config_of
from tests.packages.exported import everything as everything_as_spec


@each_row(
    "text, told",
    [
        ('stage = "Prod"', "stage must be up to 24 lower-case letters"),
        ('prefix = "a--b"', "prefix must be up to 24 lower-case letters"),
        ("memry = 1", "did you mean 'memory'"),
        ("memory = 64", "memory in .* must be a whole number from 128"),
        ("concurrency = 0", "must be a whole number from 1 to 1000"),
        ("tags = { team = 1 }", "tags.team in .* must be a non-empty string"),
        ('existing = ["orders"]', "write what is there already as KIND.NAME"),
        ('existing = ["lambdas.orders"]', "one of queues, buses, tables, buckets, workflows"),
        ('existing = ["tables.order"]', "tables.order, and neither .*; did you mean 'orders'"),
        ('existing = ["queues.parcel"]', "queues.parcel, .*; did you mean 'parcels'"),
        ('existing = ["buses.orders", "workflows.x"]', "has workflows.x, and .*; known: none"),
        ('tags = { team = "" }', "must be a non-empty string"),
        ('issuer = "https://login.example.com"', "lacks 'audience'"),
        ("log_days = 0", "whole number from 1 to 3650"),
        ("tracing = 1", "must be true or false"),
        ("handlers = { make = { timeout = 3 } }", "unknown key .*timeout"),
        ("handlers = { mak = { memory = 512 } }", "no handler 'mak'; did you mean 'make'"),
        *(
            (
                f'handlers = {{ make = {{ {key} = ["{name}"] }} }}',
                rf"\[deploy.handlers.make\] {told}",
            )
            for key, name, told in (
                (
                    "writes",
                    "order",
                    r"names 'order'; .*tables.order\] or \[buckets.order\]; did you mean 'orders'",
                ),
                ("reads", "scan", r"names 'scan'; .*; did you mean 'scans'"),
                ("publishes", "stock", r"names 'stock'; .* no \[buses.stock\]; add it"),
                ("calls", "parcel", "names 'parcel'; .*; did you mean 'parcels'"),
                ("starts", "flow", r"names 'flow'; .* no \[workflows.flow\]; add it"),
            )
        ),
    ],
)
def test_a_wrong_setting_names_its_key_and_the_remedy(tmp_path: Path, text: str, told: str) -> None:
    """When files are written: a program reads but the beginning of names."""

    def check() -> None:
        config = config_of(tmp_path, f"[tables.orders]\n[buckets.scans]\n[deploy]\n{text}\n")
        check_settings(read_settings(config), everything(), config)
        rights_of(everything(), config, read_settings(config), {})

    with pytest.raises(ConfigError, match=told):
        check()


def test_what_an_app_names_and_nothing_has_is_refused(tmp_path: Path) -> None:
    """The functions of its workflows, and the buckets that its handlers write to."""

    def check(text: str) -> None:
        config = config_of(tmp_path, text)
        check_settings(read_settings(config), made, config)

    made = App("shop")
    made.function(name="charge")(len)

    @made.workflow("order")
    def flow(w: Flow, order: Ref) -> None:
        with w.saga("booking"):
            w.step("charge", order, undo="refnd")

    with pytest.raises(
        ConfigError, match="the workflow order names 'refnd', .*'refund'. if it is else"
    ):
        check("[functions.refund]\n")
    check("[functions.refnd]\n")
    made = App("shop")
    made.on_object("scans", prefix="in/", writes="scanz/out/", name="clean")(len)
    with pytest.raises(ConfigError, match="writes of clean names 'scanz', .*mean 'scans'. if it"):
        check("")
    check("[buckets.scanz]\n")


def test_a_stage_is_the_beginning_of_every_name_that_nothing_gives(tmp_path: Path) -> None:
    """In the files, and in the calls of a program with the same file; the variable wins."""
    file = tmp_path / "leeward.toml"
    file.write_text(
        '[deploy]\nprefix = "acme"\nstage = "test"\n[tables.orders]\n'
        '[buses.orders.names]\naws = "shared"\n'
    )
    config = load_settings(file=file, env={})
    assert (config.prefix, load_settings(file=file, env={"LEEWARD_STAGE": "prod"}).prefix) == (
        "acme-test-",
        "acme-prod-",
    )
    with pytest.raises(ConfigError, match="LEEWARD_STAGE: stage must be"):
        load_settings(file=file, env={"LEEWARD_STAGE": "a b"})
    asked = PackageRequest(
        *("ordering:app", "aws", "3.13", "x86_64", SHOP, tmp_path / "out", None, ()),
        PackageSource(),
        file,
        "prod",
    )
    declared = spec_of(asked)[0].declared
    assert (declared.tables, declared.buses) == (
        {"orders": "acme-prod-orders"},
        {"orders": "shared"},
    )
    assert declared.own("charge") == "acme-prod-charge"


def test_an_app_may_have_workflows_alone(tmp_path: Path) -> None:
    """It has no function, and its workflows call those of others."""
    app = App("shop")

    @app.workflow("order")
    def order(w: Flow, value: Ref) -> None:
        w.step("charge", value, effect="keyed")

    text = '[functions.charge]\n[workflows.order]\ndefinition = "shop:order"\n'
    config = config_of(tmp_path, 'cloud_provider = "google:europe-west1"\n' + text)
    asked = everything_as_spec("google")._replace(app=app, rights={})
    facts, files = facts_of(asked, deployment_of(config, "google", app), CLOUD)
    assert facts["handlers"] == {}
    assert facts["flows"] == {
        "order": {"name": "order", "file": "flows/order.json", "calls": ["charge"]}
    }
    assert "@@charge@@" in files["flows/order.json"]
