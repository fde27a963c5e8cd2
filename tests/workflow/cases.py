"""Cases that every engine must run alike: definitions, what functions answer, and the end.

They are data: `tests/workflow/cases/*.yaml` has them for whoever makes an engine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from leeward.values import Json
from leeward.workflow.commands import Answer, Failure, Returned
from leeward.workflow.files import yaml_in
from leeward.workflow.model import AMBIGUOUS, Definition
from leeward.workflow.reading import read_definition

FOLDER = Path(__file__).parent / "cases"


class Case(NamedTuple):
    """One case.

    Attributes:
        name: of the case.
        definition: of the workflow.
        value: its input.
        answers: of functions, call by call, the last one for all that follow.
        end: of the run.
        calls: how often each function is called, by name.
    """

    name: str
    definition: Definition
    value: Json
    answers: Mapping[str, list[Answer]]
    end: Answer
    calls: Counter[str]

    def answering(self, function: str, key: str, attempt: int) -> Answer:
        """Answer a call by its function and how often its key was called, from 1."""
        del key
        told = self.answers.get(function, [Returned()])
        return told[min(attempt, len(told)) - 1]


def cases() -> list[Case]:
    """Return all cases of the folder."""
    return [case for path in sorted(FOLDER.glob("*.yaml")) for case in _cases_in(path)]


def _cases_in(path: Path) -> list[Case]:
    document: Any = yaml_in(path.read_text(encoding="utf-8"), str(path))
    definition = read_definition(document["definition"], str(path))
    return [
        Case(
            f"{definition.name}: {each['case']}",
            definition,
            each.get("input"),
            {name: [_answer(it) for it in told] for name, told in each.get("answers", {}).items()},
            _answer(each["end"]),
            Counter(each["calls"]),
        )
        for each in document["cases"]
    ]


def _answer(told: Any) -> Answer:
    if "error" in told:
        return Failure(told["error"], ambiguous=told["error"] in AMBIGUOUS)
    return Returned(told.get("value"))
