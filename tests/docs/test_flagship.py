"""The program of README runs as printed, on whatever target the environment names."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leeward.cli.app import app
from tests.demo.__main__ import main
from tests.demo.flagship import ORDERS, files
from tests.docs.test_pages import blocks
from tests.house.workspace import ROOT

PAGES = ["README.md", "docs/index.md", "docs/quickstart.md"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stand in a folder from which modules are imported, with an environment that is not set."""
    for variable in ("CLOUD_PROVIDER", "LEEWARD_DATA_TARGET", "LEEWARD_CONFIG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("shop", None)


@pytest.mark.parametrize(("variables", "target"), ORDERS)
def test_the_program_runs_as_printed(
    variables: dict[str, str],
    target: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The two files of the page are enough, and the variable alone chooses the target."""
    for name, text in files(PAGES[0]).items():
        (folder / name).write_text(text, encoding="utf-8")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    runpy.run_path("main.py", run_name="__main__")
    assert capsys.readouterr().out == f"{{'sent': '42'}} from {target}\n"


def test_every_page_has_the_same_program() -> None:
    """So that one is not mended without the others."""
    first, *others = [files(page) for page in PAGES]
    assert list(first) == ["main.py", "shop.py"]
    assert others == [first, first]


def test_the_commands_of_the_pages_are_those_that_were_tried() -> None:
    """Each line that sets variables for this machine stands in `ORDERS`."""
    tried = {
        " ".join(f"{name}={value}" for name, value in variables.items()) for variables, _ in ORDERS
    }
    for page in PAGES:
        (text,) = [each for each in blocks(ROOT / page, "sh") if "python main.py" in each]
        lines = [line.partition("python main.py")[0].strip() for line in text.splitlines()]
        assert {line for line in lines if "aws" not in line} <= tried


def test_the_table_of_readme_is_what_the_demonstration_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Line by line."""
    app(["demo"], standalone_mode=False)
    told = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    (shown,) = [each for each in blocks(ROOT / "README.md", "text") if "WHAT" in each]
    assert [line for line in shown.splitlines() if line not in told] == []


@pytest.mark.vendors
def test_make_demo_shows_the_program_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Once with nothing set, once over two embedded targets, and on each cloud."""
    assert main(None) == 0
    told = capsys.readouterr()
    assert told.err == "starting aws, azure, google, one after the other\n"
    prints = dict(
        re.findall(r"^(\S+|\(not set\)) +\{'sent': '42'\} from (\S+)$", told.out, re.MULTILINE)
    )
    assert prints == {
        "(not set)": "local",
        "local:a,local:b": "local:a",
        "aws:us-east-1": "aws:us-east-1",
        "azure:one": "azure:one",
        "google:us-central1": "google:us-central1",
    }
    assert "The naive loop" in told.out
