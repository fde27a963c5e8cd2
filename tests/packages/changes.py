"""Ordinary changes of an app, each planned in Terraform's core over what was applied before.

    python -m tests.packages.changes [--cloud aws]

Nothing that holds state is lost: a change is planned without a loss, or it is refused with the
remedy. The suite plans all harmless ones at once; here each stands alone.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from leeward import ConfigError
from tests.packages.exported import CLOUDS, config_of
from tests.packages.ordinary import CHANGES, REFUSALS, THIRD, Case, spec_for, usual
from tests.packages.roots import Plan, Root, holds_state


def export(root: Root, case: Case, forget: tuple[str, ...] = ()) -> str:
    """Export a case; return what is said of it."""
    config = config_of(root.out.parent, case.text)
    files = root.export(spec_for(case, root.cloud, config), case.text, forget)
    return "\n".join((*files.notes, *files.commands))


def apply_usual(cloud: str, folder: Path) -> Root:
    """Return a root in which the usual app has been applied."""
    root = Root(cloud, folder)
    export(root, usual(cloud))
    root.validate()
    root.apply()
    return root


def plan_change(root: Root, *changes: str) -> Plan:
    """Return the plan of changes; raise `AssertionError` if it is refused, or loses state."""
    case = usual(root.cloud)
    for change in changes:
        case = CHANGES[change](case, root.cloud)
    export(root, case)
    plan = root.plan()
    assert plan.refusal == ""
    assert plan.losses == ()
    if changes == ("nothing",):
        assert plan.actions == {}
    if changes == ("regions swapped",):
        assert not {"create", "delete", "replace"} & {*plan.counts}
    return plan


def check_refusal(root: Root, change: str) -> None:
    """Raise `AssertionError` unless a change is refused: by the export, and by the core."""
    make, told = REFUSALS[change]
    case = make(usual(root.cloud), root.cloud)
    with pytest.raises(ConfigError, match=told):
        export(root, case)
    # If somebody goes past the export.
    for name in ("facts.json", "retained.json", "main.tf"):
        (root.place / name).unlink()
    export(root, case)
    plan = root.plan()
    # A table of Firestore is in its items alone, so the core knows nothing of its key.
    assert "Instance cannot be destroyed" in plan.refusal or not plan.actions


def check_stage(root: Root) -> None:
    """A stage has a folder and a state of its own; the app without a stage stays as it is."""
    first = root.place
    before = (first / "facts.json").read_text("utf-8")
    export(root, usual(root.cloud)._replace(deploy='stage = "prod"\n'))
    assert root.place.name == f"{root.cloud}-prod"
    assert {*root.plan().counts} == {"create"}
    root.place = first
    assert (first / "facts.json").read_text("utf-8") == before
    assert root.plan().actions == {}


def check_forgetting(root: Root) -> None:
    """What is forgotten is let go by the commands that are printed, and by nothing else."""
    case = CHANGES["a consumer removed"](usual(root.cloud), root.cloud)
    assert "retained: queue parcels" in export(root, case)
    assert root.plan().losses == ()
    addresses = re.findall(r"state rm '(.+)'", export(root, case, ("queues.parcels",)))
    assert addresses
    assert "Instance cannot be destroyed" in root.plan().refusal
    root.forget(addresses)
    plan = root.plan()
    assert (plan.refusal, plan.losses) == ("", ())


def check_dead_region(root: Root) -> None:
    """A region is planned while the other one does not answer: instances are apart."""
    here, other = (each.partition(":")[2] for each in usual(root.cloud).order)
    export(root, usual(root.cloud)._replace(deploy="memory = 512\n"))
    assert f"{other} does not answer" in root.plan(down=other).refusal
    plan = root.plan(down=other, target=f'module.app["{here}"]')
    assert plan.refusal == ""
    assert plan.actions
    assert not [address for address in plan.actions if other in address]


def check_return(root: Root) -> None:
    """A region that comes back has its queues, at the same addresses."""
    export(root, CHANGES["a region taken out"](usual(root.cloud), root.cloud))
    root.apply()
    export(root, usual(root.cloud))
    plan = root.plan()
    assert plan.losses == ()
    made = [address for address, action in plan.actions.items() if action == "create"]
    assert not [*filter(holds_state, made)]


def check_third_region(root: Root) -> None:
    """Three regions are one more instance."""
    plan = plan_change(root, "a region added")
    new = [address for address, action in plan.actions.items() if action == "create"]
    assert all(THIRD[root.cloud] in address for address in new)


def proofs(applied: Root) -> Iterator[str]:
    """Make every proof on a copy of a root; yield what each was."""

    def copy() -> Root:
        return applied.copy(Path(tempfile.mkdtemp(dir=applied.out.parent)))

    for change in CHANGES:
        plan = plan_change(copy(), change)
        yield f"{change}: {plan.counts or 'nothing to do'}"
    for change in REFUSALS:
        check_refusal(copy(), change)
        yield f"{change}: refused"
    for check in (
        check_stage,
        check_forgetting,
        check_dead_region,
        check_return,
        check_third_region,
    ):
        check(copy())
        yield f"{check.__name__}: {check.__doc__}"


def main() -> None:
    """Print each proof, with its time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cloud", action="append", choices=CLOUDS)
    for cloud in parser.parse_args().cloud or CLOUDS:
        with tempfile.TemporaryDirectory() as folder:
            began = monotonic()
            for proof in proofs(apply_usual(cloud, Path(folder))):
                sys.stdout.write(f"{cloud}: {proof} ({monotonic() - began:.0f} s)\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
