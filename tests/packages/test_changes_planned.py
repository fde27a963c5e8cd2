"""Ordinary changes, in Terraform's real core: nothing that keeps state is lost.

`python -m tests.packages.changes` plans each by itself.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.packages.changes import apply_usual, check_refusal, plan_change
from tests.packages.exported import CLOUDS
from tests.packages.ordinary import NAMES
from tests.packages.roots import NEEDS_CORE, Root

pytestmark = NEEDS_CORE

AT_ONCE: Final = (
    *("regions swapped", "a region added", "a table removed", "a table added", "a bus removed"),
    *("a consumer removed", "settings changed"),
    *(f"a handler of kind {kind} renamed" for kind in NAMES),
)


@pytest.fixture(scope="module", params=CLOUDS)
def applied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """Return a root in which the usual app has been applied."""
    return apply_usual(request.param, tmp_path_factory.mktemp("applied"))


@pytest.fixture
def root(applied: Root, tmp_path: Path) -> Root:
    """Return a copy of it, to change."""
    return applied.copy(tmp_path)


@pytest.mark.parametrize("changes", [("nothing",), AT_ONCE], ids=["nothing", "all at once"])
def test_an_ordinary_change_loses_nothing(root: Root, changes: tuple[str, ...]) -> None:
    """It is planned without a deletion of what holds state; and no change is nothing to do."""
    plan_change(root, *changes)


def test_a_change_that_would_lose_data_is_refused_with_the_remedy(root: Root) -> None:
    """By the export, in words; and by the core, if somebody goes past the export."""
    check_refusal(root, "a key changed")


def test_a_call_of_a_module_that_is_gone_or_renamed_is_refused(root: Root) -> None:
    """As long as something in the root refers to it."""
    main = root.place / "main.tf"
    text = main.read_text("utf-8")
    for call in re.findall(r"module\.(\w+)", text[text.index('output "app"') :]):
        gone = re.sub(rf'module "{call}" \{{.*?\n\}}\n', "", text, flags=re.DOTALL)
        for new in (gone, text.replace(f'module "{call}"', 'module "renamed"')):
            main.write_text(new, "utf-8")
            assert "Reference to undeclared module" in root.plan().refusal
