"""The documentation tells the truth: its tables are the code's, its examples run."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from types import FunctionType

import pytest

import leeward
from leeward import errors
from leeward._operations.errors import CLASSES
from leeward._routing import FailoverDriver
from leeward._routing.outcomes import TABLE
from leeward.config import load_config
from leeward.errors import LeewardError, Outcome
from leeward.testing import Fault
from tests.demo.flagship import files
from tests.scripted import Scripted

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def table(page: str, heading: str) -> list[list[str]]:
    """Give the rows of the table that begins with `heading`, without back-ticks."""
    lines = (DOCS / page).read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {heading}"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace("`", "") for cell in line.strip("|").split("|")])
    return rows


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def test_the_outcome_table_is_that_of_the_code() -> None:
    """Rows, columns and exceptions agree."""
    documented = {row[0]: row[1:] for row in table("outcomes.md", "outcome |")}
    assert documented == {
        outcome.name: [
            "yes" if row.proved else "no",
            row.sign.value,
            row.again.value.replace("_", " "),
            row.move.value.replace("_", " "),
            CLASSES[outcome].__name__ if outcome in CLASSES else "",
        ]
        for outcome, row in TABLE.items()
    }


def test_the_tree_of_exceptions_is_that_of_the_code() -> None:
    """Each class stands below its parent in the page."""
    lines = (DOCS / "outcomes.md").read_text().splitlines()
    parents: dict[int, str] = {}
    found: dict[str, str] = {}
    for line in lines:
        match = re.fullmatch(r"( *)- `(\w+)`", line)
        if match:
            depth = len(match[1]) // 2
            parents[depth] = match[2]
            found[match[2]] = parents.get(depth - 1, "Exception")
    classes = {
        name: each.__bases__[0].__name__
        for name, each in inspect.getmembers(errors, inspect.isclass)
        if issubclass(each, LeewardError)
    }
    assert found == classes


def test_a_page_that_installs_leeward_tells_how_before_the_release() -> None:
    """Until then no index has it: the page says so, or leads to the page that does."""
    install = re.compile(r"^[$ ]*pip install [^\n]*leeward", re.MULTILINE)
    ways = ("find-links", "Until the first release: [from a clone](quickstart.md)", "make setup")
    pages = {page.name: page.read_text(encoding="utf-8") for page in DOCS.glob("*.md")}
    installing = {name: text for name, text in pages.items() if install.search(text)}
    assert len(installing) > 15
    assert [name for name, text in installing.items() if not any(way in text for way in ways)] == [
        "quickstart.md"  # has the way itself
    ]
    assert "export PIP_FIND_LINKS=" in pages["quickstart.md"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "export PIP_FIND_LINKS=$(CURDIR)/dist" in makefile


def test_every_exception_has_advice() -> None:
    """The page that says what to do leaves no raised class out."""
    advised = {name for row in table("outcomes.md", "exception |") for name in row[0].split(", ")}
    raised = {"ConfigError", "Unsupported", "PayloadTooLarge", "ValidationError"}
    raised |= {"AllTargetsUnavailable", "HomeUnavailable", "SpoolFull"}
    raised |= {each.__name__ for each in CLASSES.values()}
    assert advised == raised


def test_the_faults_are_those_of_the_code() -> None:
    """Every fault of the test tools is in the table."""
    assert [row[0] for row in table("testing.md", "fault |")] == [fault.name for fault in Fault]


def test_the_documented_configuration_loads(tmp_path: Path) -> None:
    """Every example file is a valid one."""
    path = tmp_path / "leeward.toml"
    seen = []
    for text in blocks(DOCS / "configuration.md", "toml"):
        path.write_text(text)
        seen.append(load_config(file=path, env={}))
    assert seen[0].tables["orders"].key == ("customer", "order")
    homes = FailoverDriver(
        [Scripted(str(target)) for target in seen[0].order],
        home=seen[0].data_target,
        homes=seen[0].homes(),
    )
    assert homes.home_of("orders") == "aws:us-east-1", "as the example says beside it"
    assert homes.home_of("others") == "google"
    assert any("subscriptions" in each.options.get("local", {}) for each in seen)
    assert any(each.groups for each in seen)


@pytest.mark.parametrize(
    "page",
    [
        *("docs/quickstart.md", "docs/testing.md", "docs/async.md", "README.md"),
        *("docs/configuration.md", "docs/scope.md", "docs/logging.md", "docs/functions.md"),
    ],
)
def test_the_examples_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python example runs as printed; a test among them is called."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name, text in files(page).items():
        (tmp_path / name).write_text(text)
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    for source in blocks(ROOT / page, "python"):
        space: dict[str, object] = {}
        try:
            exec(compile(source, page, "exec", dont_inherit=True), space)
        except leeward.NotFound:
            assert "Client()" in source, "only an example with no function of its own may miss one"
        for name, value in space.items():
            if name.startswith("test_") and isinstance(value, FunctionType):
                value()


def test_outcomes_are_eleven() -> None:
    """The number that the documentation names."""
    assert len(Outcome) == 11
