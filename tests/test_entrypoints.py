"""Entry points are found as `importlib.metadata` finds them, without importing it."""

from __future__ import annotations

import sys
import zipfile
from importlib.metadata import entry_points as installed
from pathlib import Path

import pytest

from leeward import ConfigError
from leeward.adapter import TargetConfig
from leeward.entrypoints import EntryPoint, entry_points, parse
from leeward.registry import open_target

CUMULUS = TargetConfig("cumulus", "cumulus", None, {}, {})


def distribution(directory: Path, name: str, text: str) -> None:
    """Install metadata only."""
    metadata = directory / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(text)


@pytest.mark.parametrize("group", ["leeward.adapters", "console_scripts", "pytest11", "nothing"])
def test_the_same_are_found_as_by_importlib(group: str) -> None:
    """In this very environment, whatever is installed here."""
    ours = {(point.name, point.value.partition("[")[0].strip()) for point in entry_points(group)}
    assert ours == {
        (point.name, point.value.partition("[")[0].strip()) for point in installed(group=group)
    }


def test_how_a_file_is_read() -> None:
    """Sections, comments, blanks and extras are as the specification has them."""
    text = """
    # first
    [other]
    a = not:this

    [leeward.adapters]
    ; a comment = of:another kind
    nimbus = leeward_nimbus:open_driver
    cirrus=leeward_cirrus.opening:open [fast, slow]
    """
    assert parse(text, "leeward.adapters") == {
        "nimbus": "leeward_nimbus:open_driver",
        "cirrus": "leeward_cirrus.opening:open",
    }


def test_the_first_on_the_path_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one distribution installed twice, the one that would be imported is read."""
    distribution(tmp_path / "one", "leeward_nimbus", "[g]\nnimbus = first:open\n")
    distribution(tmp_path / "two", "leeward.nimbus", "[g]\nnimbus = second:open\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "one"), str(tmp_path / "two")])
    assert entry_points("g") == [EntryPoint("nimbus", "first:open", "leeward-nimbus")]


def test_what_pip_could_not_remove_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves a ~ before the name."""
    distribution(tmp_path, "~imbus", "[g]\nnimbus = old:open\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert entry_points("g") == []


def test_an_adapter_in_a_zip_file_is_found_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the plain directories have none, importlib is asked."""
    offer = "[leeward.adapters]\ncumulus = cumulus_in_a_zip:open_driver\n"
    module = "from tests.scripted import Scripted\nopen_driver = lambda c: Scripted(c.name)\n"
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("cumulus-1.0.dist-info/METADATA", "Name: cumulus\nVersion: 1.0\n")
        archive.writestr("cumulus-1.0.dist-info/entry_points.txt", offer)
        archive.writestr("cumulus_in_a_zip.py", module)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "all.zip"), *sys.path])
    assert entry_points("leeward.adapters") != []
    assert open_target(CUMULUS).target == "cumulus"


def test_a_path_that_leads_nowhere_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python allows it, so leeward does."""
    monkeypatch.setattr(sys, "path", ["/nowhere/at/all"])
    assert entry_points("leeward.adapters") == []


@pytest.mark.parametrize(
    ("offers", "complaint"),
    [
        (["cumulus = json:dumps", "cumulus = json:loads"], "several packages offer .*two, one|one"),
        (["cumulus = no_such_module:open"], "cannot be loaded: ModuleNotFoundError"),
        (["cumulus = json:absent"], "cannot be loaded: AttributeError"),
        (["cumulus = json:__name__"], "is not callable"),
        (["cirrus = json:dumps"], "unknown provider 'cumulus'; .*cirrus"),
    ],
)
def test_an_offer_that_is_wrong_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offers: list[str], complaint: str
) -> None:
    """Two offers, or one that cannot be used, are errors of the configuration."""
    for name, offer in zip(("one", "two"), offers, strict=False):
        distribution(tmp_path, name, f"[leeward.adapters]\n{offer}\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(ConfigError, match=complaint):
        open_target(CUMULUS)
