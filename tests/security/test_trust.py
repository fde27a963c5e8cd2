"""The hardened mode is switched on in code or on the command line, and nobody switches it off."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from leeward import AsyncClient, Client, Config, ConfigError, registry
from leeward.adapter import TargetConfig
from leeward.config import TableConfig, load_config
from leeward.config.model import TargetName
from leeward.registry import BUILT_IN
from tests.cli.conftest import Leeward
from tests.scripted import Scripted

pytestmark = [pytest.mark.row(2), pytest.mark.threat("S4")]

HARD = 'cloud_provider = "local:own"\ntrust_env = false\n[targets.local]\npath = ":memory:"\n'
SOFT = 'cloud_provider = "local:theirs"\ndata_target = "local:theirs"\ntrust_env = true\n'
ORDER = "name the order in the file or as targets"
HOME = "set data_target in the file"


@pytest.fixture
def hostile(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point everything elsewhere: variables, the file they name, and one that is found."""
    bare.joinpath("leeward.toml").write_text(SOFT)
    bare.joinpath("evil.toml").write_text(SOFT)
    bare.joinpath("hard.toml").write_text(HARD)
    monkeypatch.setenv("LEEWARD_CONFIG", "evil.toml")
    monkeypatch.setenv("LEEWARD_DATA_TARGET", "local:theirs")
    monkeypatch.setenv("CLOUD_PROVIDER", "local:theirs")
    return bare


def opened(**arguments: Any) -> list[tuple[list[str], str]]:
    """Give the targets of both clients, and where an item is stored."""

    async def awaited() -> tuple[list[str], str]:
        async with AsyncClient(**arguments) as client:
            stored = await client.store_data("t", {"id": "1"})
            return [each.name for each in client.targets()], stored.target

    with Client(**arguments) as client:
        stored = client.store_data("t", {"id": "1"})
        return [([each.name for each in client.targets()], stored.target), asyncio.run(awaited())]


@pytest.mark.usefixtures("hostile")
def test_with_the_switch_no_variable_and_no_found_file_counts() -> None:
    """Order, home and file are those of the code, for both clients; else those of the defaults."""
    assert opened(trust_env=False) == [(["local"], "local")] * 2
    assert opened(config="hard.toml", trust_env=False) == [(["local:own"], "local:own")] * 2
    config = Config(order=(TargetName("local", "mine"),), options={"local": {"path": ":memory:"}})
    assert opened(config=config, trust_env=False) == [(["local:mine"], "local:mine")] * 2
    assert opened(targets="local:arg", trust_env=False) == [(["local:arg"], "local:arg")] * 2
    assert opened()[0] == (["local:theirs"], "local:theirs"), "the environment is not hostile"


@pytest.mark.usefixtures("hostile")
def test_the_switch_reaches_the_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is handed an empty environment, and told; whatever a file, or a Config, says."""
    told: list[TargetConfig] = []

    def open_telling(config: TargetConfig) -> Scripted:
        told.append(config)
        return Scripted(config.name)

    monkeypatch.setattr(registry, "_opener", lambda _: open_telling)
    monkeypatch.setitem(BUILT_IN, "telling", "")
    named = Config(order=(TargetName("telling"),))
    for config in (None, "leeward.toml", Config(), named):
        for targets in ("telling", None) if config is named else ("telling",):
            Client(targets, config=config, trust_env=False).close()
    assert [(each.trust_env, dict(each.env)) for each in told] == [(False, {})] * 5


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("named", [True, False])
def test_a_hardened_file_refuses_what_would_divert(
    hostile: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """Each variable is named, with the remedy; the order of an argument leaves it no say."""
    hostile.joinpath("leeward.toml").write_text(HARD)
    monkeypatch.delenv("LEEWARD_CONFIG")
    file = hostile / "hard.toml" if named else None
    with pytest.raises(ConfigError, match=rf"^LEEWARD_DATA_TARGET is set.*unset.*{HOME}.*trust_"):
        Client(config=file)
    monkeypatch.delenv("LEEWARD_DATA_TARGET")
    with pytest.raises(ConfigError, match=rf"^CLOUD_PROVIDER is set, and trust_env.*{ORDER}"):
        Client(config=file)
    with pytest.raises(ConfigError, match="^CLOUD_PROVIDER is set"):
        AsyncClient(config=file)
    with Client("local:own", config=file) as client:
        assert [each.name for each in client.targets()] == ["local:own"]
    monkeypatch.setenv("CLOUD_PROVIDER", "")
    assert load_config(file=file, env={"CLOUD_PROVIDER": ""}).trust_env is False


def test_a_config_that_trusts_nothing_refuses_the_variable(hostile: Path) -> None:
    """The same of one that was made in Python and leaves the order open."""
    with pytest.raises(ConfigError, match="^CLOUD_PROVIDER is set, and trust_env in the Config"):
        Client(config=Config(trust_env=False))


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("word", ["false", "no", 0, None, "", [], 1])
def test_a_switch_that_is_not_one_is_refused(word: Any) -> None:
    """A word that is taken for true would leave the hardened mode off, and nobody would know."""
    for kind in (Client, AsyncClient):
        with pytest.raises(ConfigError, match=r"^trust_env must be True or False, not a\w* "):
            kind("local", trust_env=word)
        with pytest.raises(ConfigError, match=r"^trust_env in the Config must be True or False"):
            kind("local", config=Config(trust_env=word))
        with pytest.raises(ConfigError, match=r"^trust_env in the Config must be True or False"):
            kind(Scripted("a"), config=Config(trust_env=word))


def test_a_runtime_of_a_cloud_is_no_place_for_the_embedded_store() -> None:
    """Also in the hardened mode; the remedy is one that works there."""
    with pytest.raises(ConfigError, match="the order of targets is not set.*set the order"):
        load_config(env={"K_SERVICE": "shop", "CLOUD_PROVIDER": "local"}, trust_env=False)


def test_drivers_that_are_open_take_nothing_from_the_environment(hostile: Path) -> None:
    """Nor do their tables get a home from it."""
    drivers = [Scripted("a"), Scripted("b")]
    with Client(drivers, trust_env=False) as client, pytest.raises(ConfigError, match="home"):
        client.store_data("t", {"id": "1"})
    config = Config(tables={"t": TableConfig(home="b")})
    with Client([Scripted("a"), Scripted("b")], config=config, trust_env=False) as client:
        assert client.store_data("t", {"id": "1"}).target == "b"


@pytest.mark.usefixtures("hostile")
def test_the_command_line_has_the_switch(leeward: Leeward, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and after the command; tracebacks are not shown either."""
    for args in (("--no-trust-env", "targets", "--json"), ("targets", "--json", "--no-trust-env")):
        told = json.loads(leeward(*args).out)
        assert (told["order"], told["order_from"], told["config"]) == (["local"], "default", None)
        assert told["trust_env"] is False
    told = json.loads(leeward("targets", "--json", "--no-trust-env", "--config", "hard.toml").out)
    assert (told["order"], told["order_from"], told["config"]) == (
        ["local:own"], "file", "hard.toml",
    )  # fmt: skip
    done = leeward("targets", "--config", "hard.toml")
    assert (done.code, "--no-trust-env" in done.err) == (2, True)
    monkeypatch.setenv("LEEWARD_DEBUG", "1")
    monkeypatch.setattr("sys.argv", ["leeward", "targets", "--no-trust-env"])
    assert "Traceback" not in leeward("targets", "--no-trust-env", "--config", "nowhere.toml").err
