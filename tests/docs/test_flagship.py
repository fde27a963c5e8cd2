"""The program of README runs as printed, on whatever target the environment names."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from leeward_contract_tests.fixtures import ECHO, EVENTS, ITEMS
from tests.docs.test_pages import blocks
from tests.house.workspace import ROOT

PAGES = ["README.md", "docs/index.md", "docs/quickstart.md"]

ORDERS: list[tuple[dict[str, str], str]] = [
    ({}, "local"),
    ({"CLOUD_PROVIDER": ""}, "local"),
    ({"CLOUD_PROVIDER": "local:a,local:b", "LEEWARD_DATA_TARGET": "local:a"}, "local:a"),
]
"""What is set, and the target that answers."""


def files(page: str) -> dict[str, str]:
    """Return the files that a page shows, by name: a line names each, its code follows."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return dict(
        re.findall(r"^`(\w+\.\w+)` [^\n]*:\n\n```\w+\n(.*?)```", text, re.MULTILINE | re.DOTALL)
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stand in a folder from which modules are imported, with an environment that is not set."""
    for variable in ("CLOUD_PROVIDER", "LEEWARD_DATA_TARGET", "LEEWARD_CONFIG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("shop", None)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("variables", "target"), ORDERS)
def test_the_program_runs_as_printed(
    page: str,
    variables: dict[str, str],
    target: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The three files of the page are enough, and the variable alone chooses the target."""
    for name, text in files(page).items():
        (folder / name).write_text(text, encoding="utf-8")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    runpy.run_path("main.py", run_name="__main__")
    assert capsys.readouterr().out == f"{{'sent': '42'}} from {target}\n"


def test_every_page_has_the_same_program() -> None:
    """So that one is not mended without the others."""
    first, *others = [files(page) for page in PAGES]
    assert list(first) == ["main.py", "shop.py", "leeward.toml"]
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


def started(cloud: str) -> AbstractContextManager[list[Any]]:
    """Start one cloud of the tests' own servers."""
    module = import_module(f"tests.servers.{cloud}.cloud")
    if cloud == "aws":
        return module.open_clouds(*module.REGIONS[:1])  # type: ignore[no-any-return]
    opened = module.azure_clouds if cloud == "azure" else module.open_clouds
    return opened(1)  # type: ignore[no-any-return]


def settings(cloud: Any) -> str:
    """Return the ``leeward.toml`` of an operator of this cloud, with its own names."""
    provider = cloud.target.partition(":")[0]
    lines = [f'[targets."{cloud.target}"]']
    lines += [f'{name} = "{value}"' for name, value in cloud.options.items()]
    own = {"functions.send-receipt": ECHO, "buses.orders": EVENTS, "tables.orders": ITEMS}
    for section, name in own.items():
        lines += [f"[{section}]", f'names = {{ {provider} = "{name}" }}']
    return "\n".join(lines)


@pytest.mark.parametrize("provider", ["aws", "azure", "google"])
def test_the_program_runs_on_a_cloud(
    provider: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The same text, with an operator's own ``leeward.toml``, over a real wire."""
    (folder / "main.py").write_text(files("README.md")["main.py"], encoding="utf-8")
    with started(provider) as clouds:
        (cloud,) = clouds
        (folder / "leeward.toml").write_text(settings(cloud), encoding="utf-8")
        for name, value in (cloud.env | {"CLOUD_PROVIDER": cloud.target}).items():
            monkeypatch.setenv(name, value)
        runpy.run_path("main.py", run_name="__main__")
    assert capsys.readouterr().out == f"{{'order': '42'}} from {cloud.target}\n"
