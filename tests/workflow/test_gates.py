"""What is exported passes the checkers that others have made; and what these would find is found.

Each checker misses what another one finds: so there are several.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from leeward.errors import ConfigError
from leeward.values import Effect
from leeward.workflow.model import Definition, Step, nodes
from leeward_contract_tests import contract_workflow
from leeward_deploy.aws.flows.export import check_machine
from tests.house.workspace import ROOT
from tests.workflow.engines import PYTHON, as_machine, as_workflow
from tests.workflow.flows import everything, order_flow
from tests.workflow.strategies import definition_of

STATELINT = PYTHON.parent / "statelint"
NODE = ROOT / ".servers/nodejs/bin/node"
ASL_VALIDATOR = ROOT / ".servers/npm/node_modules/asl-validator/dist/bin/asl-validator.js"
SCHEMA = ROOT / "tests/servers/workflows/schema.py"

DEFINITIONS: Mapping[str, Definition] = {
    "order": order_flow,
    "everything": everything,
    "contract": contract_workflow(),
    **{f"random-{seed}": definition_of(seed) for seed in range(8)},
}


def tasks_of(machine: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the tasks of a machine, and of those inside it, with their names."""
    for name, state in machine["States"].items():
        if state["Type"] == "Task":
            yield name, state
        for inner in (*state.get("Branches", ()), *filter(None, [state.get("ItemProcessor")])):
            yield from tasks_of(inner)


def by_statelint(path: Path) -> str:
    """Return what AWS's own linter says. It knows no expression where it wants a number."""
    done = subprocess.run([STATELINT, path], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


def by_asl_validator(*paths: Path) -> str:
    """Return what asl-validator says of those that are wrong."""
    words = [word for path in paths for word in ("--json-path", str(path))]
    done = subprocess.run(
        [NODE, ASL_VALIDATOR, *words], capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def by_schema(*sources: str) -> list[str]:
    """Return what Google's public schema says of each."""
    lines = "".join(json.dumps(json.loads(each)) + "\n" for each in sources)
    done = subprocess.run([PYTHON, SCHEMA], input=lines, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def without_expressions(value: Any) -> Any:
    """Return a state machine for the linter: a number wherever it wants one."""
    if isinstance(value, dict):
        return {
            name: 1 if name == "Seconds" else without_expressions(each)
            for name, each in value.items()
        }
    return [without_expressions(each) for each in value] if isinstance(value, list) else value


def test_the_checkers_are_there() -> None:
    """Where one were missing, nothing would be checked by it."""
    assert all(shutil.which(each) for each in (STATELINT, NODE))
    assert ASL_VALIDATOR.exists()


def test_state_machines_pass_the_linter(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """AWS's own statelint finds nothing in any of them, the random ones included."""
    for name, definition in list(DEFINITIONS.items())[:12]:
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(without_expressions(json.loads(as_machine(definition)))))
        with subtests.test(name):
            assert by_statelint(path) == ""


def test_state_machines_pass_the_validator(tmp_path: Path) -> None:
    """asl-validator finds nothing either: schema, expressions, states that nothing leads to."""
    paths = []
    for name, definition in DEFINITIONS.items():
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(as_machine(definition))
    assert by_asl_validator(*paths) == ""


def test_sources_of_google_pass_the_public_schema() -> None:
    """Which takes no unknown field."""
    sources = [as_workflow(each) for each in DEFINITIONS.values()]
    assert by_schema(*sources) == [""] * len(sources)


Change = Callable[[dict[str, Any]], object]


def _task(machine: dict[str, Any]) -> dict[str, Any]:
    return next(state for _, state in tasks_of(machine))


MISTAKES: dict[str, tuple[Change, str]] = {
    "a time limit of a branch": (
        lambda m: m["States"]["both"].update(TimeoutSeconds=300),
        "validator",
    ),
    "keys in small letters": (
        lambda m: _task(m).update(timeoutseconds=_task(m).pop("TimeoutSeconds")),
        "linter",
    ),
    "a misspelt field of a retry": (
        lambda m: _task(m)["Retry"][0].update(MaxAttempt=3),
        "linter",
    ),
    "an expression that is none": (
        lambda m: m["States"]["begin"]["Assign"].update(s0="{% $f( %}"),
        "validator",
    ),
    "a state that is not there": (
        lambda m: m["States"]["begin"].update(Next="nowhere"),
        "validator own",
    ),
    "a state that nothing leads to": (
        lambda m: m["States"].update(alone={"Type": "Succeed"}),
        "validator",
    ),
}
"""What is done to a sound machine, and who has to find it."""


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found(tmp_path: Path, name: str) -> None:
    """By one checker at least; ours finds what would end a run in the middle."""
    change, finders = MISTAKES[name]
    machine = json.loads(as_machine(everything))
    change(machine)
    path = tmp_path / "machine.json"
    path.write_text(json.dumps(without_expressions(machine)))
    for finder in finders.split():
        if finder == "own":
            with pytest.raises(ConfigError, match="which is not there"):
                check_machine(machine)
        else:
            assert (by_statelint if finder == "linter" else by_asl_validator)(path), finder


def test_a_mistake_in_a_source_of_google_is_found() -> None:
    """A field that does not exist, a step with two things to do, a retry without its end."""
    sound = json.loads(as_workflow(order_flow))
    changes: list[Change] = [
        lambda s: s["main"]["steps"][0].update(second={"return": 1}),
        lambda s: s["main"]["steps"].append({"x": {"returns": 1}}),
        lambda s: s["main"].update(step=[]),
    ]
    broken = []
    for change in changes:
        source = deepcopy(sound)
        change(source)
        broken.append(json.dumps(source))
    assert all(by_schema(*broken))


def test_a_broken_machine_is_not_written() -> None:
    """A name that is there twice, in whatever branch."""
    twice: dict[str, object] = {"States": {"a": {"Branches": [{"States": {"a": {}}}]}}}
    with pytest.raises(ConfigError, match="taken or too long"):
        check_machine(twice)


def test_every_task_catches_whatever_fails(subtests: pytest.Subtests) -> None:
    """No step is left without: a step that may have run is to be taken back."""
    for name, definition in DEFINITIONS.items():
        with subtests.test(name):
            for state, task in tasks_of(json.loads(as_machine(definition))):
                assert [each["ErrorEquals"] for each in task["Catch"]] == [["States.ALL"]], state


def test_an_unsafe_step_is_repeated_on_proof_alone(subtests: pytest.Subtests) -> None:
    """Never on an error of Lambda's service, behind which the function may have run."""
    for name, definition in DEFINITIONS.items():
        unsafe = {
            node.id
            for node in nodes(definition.body)
            if isinstance(node, Step) and node.effect is Effect.UNSAFE
        }
        with subtests.test(name):
            for state, task in tasks_of(json.loads(as_machine(definition))):
                retried = {name for each in task.get("Retry", ()) for name in each["ErrorEquals"]}
                if state in unsafe:
                    assert retried <= {"Lambda.TooManyRequestsException"}, state
