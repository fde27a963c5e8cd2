"""A package that is installed is not run for that: an adapter is imported when it is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from leeward import Client, Config, ConfigError
from leeward.config import load_config
from leeward.entrypoints import all_entry_points
from tests.house.workspace import ROOT
from tests.test_entrypoints import distribution

pytestmark = pytest.mark.threat("S16")

EVIL = "raise SystemExit('evil was imported')\n"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a package that offers adapters, one under the name of the embedded one."""
    (tmp_path / "evil_plugin.py").write_text(EVIL)
    offers = "evil = evil_plugin:open\nlocal = evil_plugin:open\nazurr = evil_plugin:open\n"
    distribution(tmp_path, "evil-plugin", f"[leeward.adapters]\n{offers}")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def test_an_installed_adapter_that_nobody_names_is_not_imported(installed: Path) -> None:
    """Not to open others, to look for a misspelt name, nor to tell what there is."""
    with Client("local", config=Config(options={"local": {"path": ":memory:"}})) as client:
        client.store_data("t", {"id": "1"})
        client.targets()
    for order in ("evill", "azur", "ibm"):
        with pytest.raises(ConfigError, match="unknown provider"):
            Client(order, config=Config())
    with pytest.raises(ConfigError, match="unknown provider"):
        load_config(env={"CLOUD_PROVIDER": "evi", "LEEWARD_CONFIG": "/dev/null"})
    config = Config(options={"evil": {"a": 1}}, data_target="local")
    Client(
        "local", config=config._replace(options={**config.options, "local": {"path": ":memory:"}})
    )
    assert "evil_plugin" not in sys.modules
    with pytest.raises(SystemExit, match="evil was imported"):
        Client("evil", config=Config())


def test_a_configuration_names_adapters_and_no_classes(installed: Path) -> None:
    """What looks like a module or a path is no name of a provider."""
    for order in (
        "evil_plugin:open",
        "evil_plugin.open",
        "./evil_plugin",
        "os:system",
        "evil-plug",
    ):
        with pytest.raises(ConfigError):
            Client(order, config=Config())
    assert "evil_plugin" not in sys.modules


def test_a_package_that_is_half_installed_stops_nothing(installed: Path) -> None:
    """One that does not say its name, as while an installer is at work."""
    folder = installed / "half-1.0.dist-info"
    folder.mkdir()
    (folder / "entry_points.txt").write_text("[leeward.adapters]\nhalf = evil_plugin:open\n")
    assert "half" in {each.name for each in all_entry_points("leeward.adapters")}
    with pytest.raises(ConfigError, match="unknown provider"):
        Client("nobody", config=Config())


WALK = """
import sys
from leeward import AsyncClient, Client, Config
from leeward.registry import open_target
from leeward.adapter import TargetConfig
import leeward.local, leeward._items, leeward._http.threads, leeward._http.aio
for provider, options in {
    "aws": {"region": "us-east-1"},
    "azure": {"function_app": "shop", "function_key": "key"},
    "google": {"project": "shop-1", "identity": "metadata"},
}.items():
    open_target(TargetConfig(provider, provider, None, options, {}))
with Client("local", config=Config(options={"local": {"path": ":memory:"}})) as client:
    client.store_data("t", {"id": "1"})
    client.load_data("t", "1")
print(*sorted({"pickle", "_pickle", "marshal", "shelve", "yaml", "dbm"} & set(sys.modules)))
"""


@pytest.mark.threat("S14")
def test_nothing_that_unpickles_is_loaded_by_leeward() -> None:
    """Core, wire, items and the three adapters at work; the interpreter itself brings marshal."""
    done = subprocess.run(
        [sys.executable, "-c", WALK], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) <= {"marshal"}
