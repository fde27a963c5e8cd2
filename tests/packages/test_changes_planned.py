"""Ordinary changes, in Terraform's real core: nothing that keeps state is lost."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import pytest

from leeward import ConfigError
from tests.packages.exported import config_of
from tests.packages.ordinary import CHANGES, REFUSALS, THIRD, Case, spec_for, usual
from tests.packages.roots import NEEDS_CORE, Root

pytestmark = NEEDS_CORE

CLOUDS: Final = ("aws",)


def export(root: Root, case: Case, forget: tuple[str, ...] = ()) -> str:
    """Export a case; return what is said of it."""
    config = config_of(root.out.parent, case.text)
    files = root.export(spec_for(case, root.cloud, config), case.text, forget)
    return "\n".join((*files.notes, *files.commands))


@pytest.fixture(scope="module", params=CLOUDS)
def applied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """Return a root in which the usual app has been applied."""
    root = Root(request.param, tmp_path_factory.mktemp("applied"))
    export(root, usual(root.cloud))
    root.validate()
    root.apply()
    return root


@pytest.fixture
def root(applied: Root, tmp_path: Path) -> Root:
    """Return a copy of it, to change."""
    return applied.copy(tmp_path)


@pytest.mark.parametrize("change", CHANGES)
def test_an_ordinary_change_loses_nothing(root: Root, change: str) -> None:
    """It is planned without a deletion of what holds state; and nothing is to do afterwards."""
    export(root, CHANGES[change](usual(root.cloud), root.cloud))
    plan = root.plan()
    assert plan.refusal == ""
    assert plan.losses == ()
    if change == "nothing":
        assert plan.actions == {}
    if change == "regions swapped":
        assert not {"create", "delete", "replace"} & {*plan.counts}


@pytest.mark.parametrize("change", REFUSALS)
def test_a_change_that_would_lose_data_is_refused_with_the_remedy(root: Root, change: str) -> None:
    """By the export, in words; and by the core, if somebody goes past the export."""
    make, told = REFUSALS[change]
    case = make(usual(root.cloud), root.cloud)
    with pytest.raises(ConfigError, match=told):
        export(root, case)
    for name in ("facts.json", "retained.json", "main.tf"):
        (root.place / name).unlink()
    export(root, case)
    assert "Instance cannot be destroyed" in root.plan().refusal


def test_a_stage_has_a_folder_and_a_state_of_its_own(root: Root) -> None:
    """The app without a stage stays as it is."""
    first = root.place
    before = (first / "facts.json").read_text("utf-8")
    export(root, usual(root.cloud)._replace(deploy='stage = "prod"\n'))
    assert root.place.name == f"{root.cloud}-prod"
    assert {*root.plan().counts} == {"create"}
    root.place = first
    assert (first / "facts.json").read_text("utf-8") == before
    assert root.plan().actions == {}


@pytest.mark.parametrize("name", ["app", "renamed"])
def test_a_call_of_the_module_that_is_gone_or_renamed_is_refused(root: Root, name: str) -> None:
    """As long as something in the root refers to it."""
    main = root.place / "main.tf"
    text = main.read_text("utf-8")
    gone = re.sub(r'module "app" \{.*?\n\}\n', "", text, flags=re.DOTALL)
    new = gone if name == "app" else text.replace('module "app"', f'module "{name}"')
    main.write_text(new, "utf-8")
    assert "Reference to undeclared module" in root.plan().refusal


def test_what_is_forgotten_is_let_go_by_the_commands_that_are_printed(root: Root) -> None:
    """Before them the core refuses to delete it; after them nobody knows of it."""
    case = CHANGES["a table removed"](usual(root.cloud), root.cloud)
    assert "retained: table mails" in export(root, case)
    assert root.plan().losses == ()
    told = export(root, case, ("tables.mails",))
    addresses = re.findall(r"state rm '(.+)'", told)
    assert addresses
    assert "Instance cannot be destroyed" in root.plan().refusal
    root.forget(addresses)
    plan = root.plan()
    assert (plan.refusal, plan.losses) == ("", ())


def test_a_region_is_planned_while_the_other_one_does_not_answer(root: Root) -> None:
    """Instances refer to nothing of each other, so a plan of one needs nothing of the other."""
    here, other = (each.partition(":")[2] for each in usual(root.cloud).order)
    case = usual(root.cloud)._replace(deploy="memory = 512\n")
    export(root, case)
    assert f"{other} does not answer" in root.plan(down=other).refusal
    plan = root.plan(down=other, target=f'module.app["{here}"]')
    assert plan.refusal == ""
    assert plan.actions
    assert not [address for address in plan.actions if other in address]


def test_a_region_that_comes_back_has_its_queues(root: Root) -> None:
    """Those that were retained, at the same addresses."""
    export(root, CHANGES["a region taken out"](usual(root.cloud), root.cloud))
    root.apply()
    export(root, usual(root.cloud))
    plan = root.plan()
    assert plan.losses == ()
    made = [address for address, action in plan.actions.items() if action == "create"]
    assert not [address for address in made if "sqs_queue" in address]


def test_three_regions_are_one_more_instance(root: Root) -> None:
    """Nothing of the others changes but what may be called there."""
    export(root, CHANGES["a region added"](usual(root.cloud), root.cloud))
    plan = root.plan()
    new = [address for address, action in plan.actions.items() if action == "create"]
    assert all(f'module.app["{THIRD[root.cloud]}"]' in address for address in new)
    facts = json.loads((root.place / "facts.json").read_text("utf-8"))
    assert len(facts["regions"]) == 3
