"""What counts: the argument, then the environment, then the file, then the default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from leeward import Client
from leeward.config import (
    BusConfig,
    Config,
    FunctionConfig,
    TableConfig,
    TargetName,
    load_config,
)
from leeward.config.load import VARIABLES
from leeward.errors import ConfigError
from leeward.local import Local
from leeward.values import Effect
from leeward_contract_tests.rows import each_row
from tests.house.workspace import ROOT
from tests.scripted import Scripted

FULL = """
cloud_provider = "aws:us-east-1,google"
data_target = "google"
source = "shop"
trust_env = false

[targets."aws:us-east-1"]
profile = "prod"

[functions.send-receipt]
effect = "keyed"
dedup_scope = "group"
timeout = 30
names = { aws = "prod-send-receipt" }

[buses.orders]
timeout = 2.5
names = { gcp = "orders-topic" }

[tables.orders]
key = ["customer", "order"]
home = "aws:us-east-1"
timeout = 5
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "leeward.toml"
    path.write_text(FULL)
    return path


def test_every_section_is_read(file: Path) -> None:
    """A full file becomes one frozen value."""
    config = load_config(file=file, env={})
    assert [str(target) for target in config.order] == ["aws:us-east-1", "google"]
    assert config.options == {"aws:us-east-1": {"profile": "prod"}}
    assert config.functions == {
        "send-receipt": FunctionConfig(Effect.KEYED, True, 30.0, {"aws": "prod-send-receipt"})
    }
    assert config.buses == {"orders": BusConfig(2.5, {"google": "orders-topic"})}
    assert config.tables == {"orders": TableConfig(("customer", "order"), "aws:us-east-1", 5.0)}
    assert (config.source, config.trust_env, config.data_target) == ("shop", False, "google")


def test_precedence_of_the_order(file: Path) -> None:
    """Argument, environment, file, in that order."""
    file.write_text(FULL.replace("trust_env = false", ""))
    env = {"CLOUD_PROVIDER": "azure"}
    assert [str(t) for t in load_config("local", file=file, env=env).order] == ["local"]
    assert [str(t) for t in load_config(file=file, env=env).order] == ["azure"]
    assert [str(t) for t in load_config(file=file, env={}).order] == ["aws:us-east-1", "google"]


def test_the_data_target_of_the_environment_wins(file: Path) -> None:
    """``LEEWARD_DATA_TARGET`` is the home of every table, whatever the file says."""
    file.write_text(FULL.replace("trust_env = false", ""))
    config = load_config(file=file, env={"LEEWARD_DATA_TARGET": "gcp"})
    assert (config.data_target, config.homes()) == ("google", {})


def test_a_misspelt_variable_is_refused(file: Path) -> None:
    """Ignored, it would send data elsewhere; a name that is only alike is somebody else's."""
    for name in ("LEEWARD_DATA_TARGT", "LEEWARD_CONFG", "LEEWARD_DATATARGET"):
        with pytest.raises(ConfigError, match=f"{name} is unknown; did you mean LEEWARD_"):
            load_config(env={name: "aws"})
    for name in (
        *("CLOUD_PROVDER", "CLOUDPROVIDER", "CLOUD_PROIVDER", "cloud_provider"),
        *("LEEWARD_CLOUD_PROVIDER", "LEEWARD_CLOUDPROVIDER"),
    ):
        for configured in (None, file):
            with pytest.raises(ConfigError, match=f"{name} is unknown; did you mean CLOUD_PROV"):
                load_config(env={name: "aws"}, file=configured)
        assert load_config("local", env={name: "aws"}).order == (TargetName("local"),)
        load_config(env={name: "aws", "CLOUD_PROVIDER": "local"})
        load_config(env={name: "aws"}, trust_env=False)
    for name in ("CLOUD_PROVIDER_NAME", "PROVIDER", "CLOUD_RUN_TIMEOUT_SECONDS"):
        load_config(env={name: "aws"})
    for name in ("LEEWARD_TEST_CLOUD", "LEEWARD_CONFIG_MAP", "LEEWARD_FUNCTION", "LEEWARDCONFG"):
        load_config(env={name: "aws"})


def test_a_guessed_variable_is_refused(file: Path) -> None:
    """What sets the order has one name; what no variable sets is told, all of it at once."""
    for name in ("LEEWARD_PROVIDER", "LEEWARD_TARGETS", "LEEWARD_TARGET", "leeward_order"):
        for configured in (None, file):
            with pytest.raises(ConfigError, match=f"{name} is unknown; did you mean CLOUD_PROV"):
                load_config(env={name: "aws"}, file=configured)
        load_config(env={name: "aws", "CLOUD_PROVIDER": "local"})
        assert load_config("local", env={name: "aws"}).order == (TargetName("local"),)
    with pytest.raises(ConfigError, match="did you mean LEEWARD_CONFIG") as raised:
        load_config(env={"LEEWARD_CONFIG_FILE": "a", "LEEWARD_STAGES": "b", "LEEWARD_HEDGE": "c"})
    assert str(raised.value).count("Rename or unset it") == 2
    for key in ("trust_env", "weights", "residency", "worker"):
        with pytest.raises(ConfigError, match=f"LEEWARD_{key.upper()} .*: no variable sets {key};"):
            load_config(env={f"LEEWARD_{key.upper()}": "1"})
    for name in (
        "LEEWARD_PORT",
        "LEEWARD_PREFIX",
        "LEEWARD_WORKER_PORT",
        "TARGETS",
        "TRUST_ENV",
        "ORDER",
    ):
        load_config(env={name: "aws"})


def test_a_variable_for_a_key_of_a_table_is_refused() -> None:
    """It was ignored; what Kubernetes says of a service is not ours, nor is an empty one."""
    names = (
        *("SPOOL_TARGET", "TABLES_ORDERS_HOME", "BUCKET_A_HOME", "TARGETS_AWS_REGION"),
        *("HEALTH_CHECKS_INTERVAL", "WORKER_CONCURRENCY", "BUS_ORDERS_TIMEOUT", "SPOOL_PATH"),
    )
    with pytest.raises(
        ConfigError, match=r"LEEWARD_SPOOL_TARGET .* a key of \[spool\]; write"
    ) as raised:
        load_config(env={f"LEEWARD_{name}": "x" for name in names})
    assert str(raised.value).count("no variable sets a key of [") == len(names)
    assert "[health_checks]" in str(raised.value)
    assert "[buses]" in str(raised.value)
    service = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_80_TCP_ADDR")
    load_config(env={f"LEEWARD_WORKER_{name}": "x" for name in (*service, "TOKEN")})
    load_config(env={"LEEWARD_SPOOL_TARGET": "", "LEEWARD_HEDGE": ""})
    others = ("DEPLOY_ROLE_ARN", "EXPORT_DIR", "WORKER_IMAGE", "WORKER_REPLICAS", "FUNCTION_NAME")
    load_config(env={f"LEEWARD_{name}": "x" for name in others})


def test_the_list_has_each_variable_that_is_read() -> None:
    """Else the program that reads it would be refused its own variable."""
    files = [file for top in ("src", "adapters", "extras") for file in (ROOT / top).rglob("*.py")]
    found = {
        name
        for file in files
        for name in re.findall(r"[\"']([A-Z]*LEEWARD_[A-Z_]+)[\"']", file.read_text("utf-8"))
    }
    assert found == {*VARIABLES}


def test_the_data_target_of_the_file_is_for_tables_without_a_home(file: Path) -> None:
    """In the file, what is said of one table goes before what is said of all."""
    config = load_config(file=file, env={})
    assert (config.data_target, config.homes()) == ("google", {"orders": "aws:us-east-1"})


def test_homes_of_the_file(tmp_path: Path) -> None:
    """Without a data target, each table has its own home."""
    path = tmp_path / "leeward.toml"
    path.write_text('[tables.a]\nhome = "aws"\n[tables.b]\n')
    assert load_config(file=path, env={}).homes() == {"a": "aws"}


def test_the_default_is_embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing set and no file, everything stays in this process."""
    monkeypatch.chdir(tmp_path)
    assert [str(target) for target in load_config(env={}).order] == ["local"]


def test_the_file_of_the_working_directory_counts(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``leeward.toml`` is found without being named; ``LEEWARD_CONFIG`` names another."""
    monkeypatch.chdir(file.parent)
    assert load_config(env={}).source == "shop"
    other = file.parent / "other.toml"
    other.write_text('source = "other"')
    assert load_config(env={"LEEWARD_CONFIG": str(other)}).source == "other"


@pytest.mark.parametrize(
    "variable",
    [
        "AWS_LAMBDA_FUNCTION_NAME",
        "FUNCTIONS_WORKER_RUNTIME",
        "K_SERVICE",
        "KUBERNETES_SERVICE_HOST",
    ],
)
def test_a_runtime_needs_the_variable(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody loses production data to a forgotten variable."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"CLOUD_PROVIDER is not set.*{variable}"):
        load_config(env={variable: "x"})
    assert load_config(env={variable: "x", "CLOUD_PROVIDER": "local"}).order


@pytest.mark.parametrize("empty", ["CLOUD_PROVIDER", "LEEWARD_CONFIG", "LEEWARD_DATA_TARGET"])
def test_an_empty_variable_counts_as_not_set(
    empty: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compose file passes ``CLOUD_PROVIDER=`` on when the host has not set it."""
    monkeypatch.chdir(file.parent)
    assert load_config(env={empty: ""}) == load_config(env={})


SPARE = """
[targets."aws:us-east-1"]
profile = "east"

[targets."aws:us-west-2"]
profile = "west"

[targets.azure]
tenant = "t"

[functions.f]
names = { "aws:us-west-2" = "f-west", azure = "f-azure" }
"""


@pytest.mark.parametrize("order", ["aws:us-east-1", "aws:us-west-2", "google", "azure:x", "local"])
def test_one_file_serves_many_orders(order: str, tmp_path: Path) -> None:
    """Whoever takes a region or a cloud out of the order need not touch the file."""
    path = tmp_path / "leeward.toml"
    path.write_text(SPARE)
    assert load_config(order, file=path, env={}).options.keys() == {
        "aws:us-east-1",
        "aws:us-west-2",
        "azure",
    }


def test_a_section_for_a_target_of_the_file_s_own_order_is_kept(tmp_path: Path) -> None:
    """The order of the file names it, even if another order is in force."""
    path = tmp_path / "leeward.toml"
    path.write_text('cloud_provider = "aws:a,aws:b"\n[targets."aws:b"]\nprofile = "p"\n')
    assert load_config(file=path, env={"CLOUD_PROVIDER": "aws:a"}).options.keys() == {"aws:b"}


def test_a_provider_of_an_open_driver_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver that a program made itself needs no entry point."""
    monkeypatch.chdir(tmp_path)
    config = Config(functions={"f": FunctionConfig(names={"own": "g"})})
    with pytest.raises(ConfigError, match="functions.f.names.own in the Config: unknown provider"):
        Client(Local("local"), config=config)
    with Client(Scripted("own:a"), config=config) as client:
        client.invoke("f")


def test_names_of_a_config_are_checked_like_those_of_a_file() -> None:
    """A configuration in Python is as easily misspelt."""
    config = Config(order=(TargetName("local"),), tables={"t": TableConfig(home="lokal")})
    with pytest.raises(ConfigError, match="tables.t.home in the Config: unknown provider 'lokal'"):
        Client(config=config)


EAST, WEST, EUROPE = "aws:us-east-1", "aws:us-west-2", "aws:eu-west-1"
WRONG: Final[list[tuple[str, str]]] = [
    (f'[residency]\naws = "us"\n"{EUROPE[:-3]}-7" = "eu"', "residency"),
    (f'[weights]\n"{WEST}2" = 10', "weights"),
    (f'[groups.g]\nfunctions = ["f"]\ntargets = ["{EAST}", "{WEST}2"]', "groups.g.targets"),
    (f'[groups.g]\nfunctions = ["f"]\n[groups.g.weights]\n"{WEST}2" = 10', "groups.g.weights"),
    (f'[functions.f.names]\n"{WEST}2" = "own"', "functions.f.names"),
    (f'[targets."{WEST}2"]\napp = "a"', "targets"),
]


@each_row("section, where", WRONG)
def test_a_misspelt_target_is_refused_wherever_it_stands(
    section: str, where: str, tmp_path: Path
) -> None:
    """Ignored, it would send a function of the US to Europe, or nothing to a canary."""
    path = tmp_path / "leeward.toml"
    order = f"{EAST},{WEST},{EUROPE}"
    path.write_text(f'cloud_provider = "{order}"\n{section}')
    with pytest.raises(ConfigError, match="did you mean 'aws:") as caught:
        load_config(file=path, env={})
    assert str(caught.value).startswith(where)
    right = section.replace(f"{WEST}2", WEST).replace(f"{EUROPE[:-3]}-7", EUROPE)
    path.write_text(f'cloud_provider = "{order}"\n{right}')
    load_config(file=path, env={})
    load_config(EAST, file=path, env={})


def test_a_file_is_read_within_a_bound(tmp_path: Path) -> None:
    """A device that is named by mistake has no end; a mark of an editor is no mistake."""
    path = tmp_path / "leeward.toml"
    path.write_bytes(b"#" * 1_048_577)
    with pytest.raises(ConfigError, match="has more than 1048576 bytes; name a configuration"):
        load_config(file=path, env={})
    path.write_bytes(b'\xef\xbb\xbfsource = "shop"')
    assert load_config(file=path, env={}).source == "shop"


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    """Nobody has to start a program five times; each has its place and its remedy."""
    path = tmp_path / "leeward.toml"
    path.write_text(
        'source = 7\nfail_bak = "manual"\n[functions.pay]\neffect = "kyed"\ntimeout = 0\n'
        '[tables.orders]\nhome = "aws east"\n[weights]\naws = 100\n'
    )
    with pytest.raises(ConfigError) as caught:
        load_config(file=path, env={})
    lines = str(caught.value).splitlines()
    assert [line.removeprefix("unknown key ").partition(" ")[0] for line in lines] == [
        "source",
        "weights.aws",
        "functions.pay.effect",
        "functions.pay.timeout",
        "tables.orders.home",
        "fail_bak",
    ]
    names = {"lokal": "a", "awz": "b"}
    config = Config(functions={"f": FunctionConfig(names=names)})
    with pytest.raises(ConfigError, match=r"(?s)unknown provider 'lokal'.*\n.*provider 'awz'"):
        Client("local", config=config)
