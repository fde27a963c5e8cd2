"""Ordinary changes, in Terraform's real core: nothing that keeps state is lost.

`python -m tests.packages.changes` plans each by itself.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from leeward_deploy.infrastructure import module_texts
from tests.packages.changes import apply_usual, check_refusal, export, plan_change
from tests.packages.exported import CLOUDS
from tests.packages.forces import STATEFUL
from tests.packages.ordinary import NAMES, usual
from tests.packages.roots import NEEDS_CORE, Root, holds_state

pytestmark = NEEDS_CORE

AT_ONCE: Final = (
    *("regions swapped", "a region added", "a table removed", "a table added", "a bus removed"),
    *("a consumer removed", "settings changed"),
    *(f"a handler of kind {kind} renamed" for kind in NAMES),
)


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """Return a root on AWS in which the usual app has been applied."""
    return apply_usual("aws", tmp_path_factory.mktemp("applied"))


@pytest.fixture
def root(applied: Root, tmp_path: Path) -> Root:
    """Return a copy of it, to change."""
    return applied.copy(tmp_path)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_an_ordinary_change_loses_nothing(
    cloud: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """All at once are planned without a deletion of what holds state; no change does nothing."""
    root = request.getfixturevalue("root") if cloud == "aws" else apply_usual(cloud, tmp_path)
    if cloud == "aws":
        plan_change(root, "nothing")
    plan_change(root, *AT_ONCE)


def test_a_change_that_would_lose_data_is_refused_with_the_remedy(root: Root) -> None:
    """By the export, in words; and by the core, if somebody goes past the export."""
    check_refusal(root, "a key changed")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_holds_data_is_guarded_by_a_literal(cloud: str) -> None:
    """Of that, and of what it is in, the core refuses to plan a deletion."""
    text = "\n".join(module_texts(cloud).values())
    pattern = r'^resource "(\w+)" "(\w+)" \{\n((?: .*\n|\n)*)\}'
    guarded = {
        f"{type}.{name}": "prevent_destroy = true" in block
        for type, name, block in re.findall(pattern, text, re.MULTILINE)
        if holds_state(f"{type}.{name}")
    }
    assert len(guarded) >= len(STATEFUL[cloud])
    assert all(guarded.values()), guarded


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_root_refers_to_each_module_that_holds_data(cloud: str, tmp_path: Path) -> None:
    """So the core refuses a call that is gone or renamed."""
    holds = {
        "global" if path.startswith("global/") else "app"
        for path, text in module_texts(cloud).items()
        if "prevent_destroy = true" in text
    }
    root = Root(cloud, tmp_path)
    export(root, usual(cloud))
    text = (root.place / "main.tf").read_text("utf-8")
    assert holds
    assert holds <= {*re.findall(r"module\.(\w+)", text[text.index('output "app"') :])}


def test_a_call_of_a_module_that_is_gone_or_renamed_is_refused(root: Root) -> None:
    """As long as something in the root refers to it."""
    main = root.place / "main.tf"
    text = main.read_text("utf-8")
    gone = re.sub(r'module "app" \{.*?\n\}\n', "", text, flags=re.DOTALL)
    for new in (gone, text.replace('module "app"', 'module "renamed"')):
        main.write_text(new, "utf-8")
        assert "Reference to undeclared module" in root.plan().refusal
