"""Cases that every engine must run alike: a definition, what its functions do, and how it ends.

They are data, in YAML, and come with the contract suite, ``leeward_contract_tests``. An engine runs
a case, and the end of the run and the calls of each function are compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from leeward.errors import ConfigError
from leeward.masking import show_only
from leeward.values import Json
from leeward.values.settled import Verdict
from leeward.workflow.commands import UNSETTLED, Answer, Returned, StepFailure, StepVerdict
from leeward.workflow.model import AMBIGUOUS, Definition
from leeward.workflow.reading import read_definition, yaml_in
from leeward.workflow.steps import RESULT_LOST

FORMAT: Final = "workflow-cases/1"

RUN: Final = "run"
"""The id of every run of a case."""

INTERRUPTIONS: Final = ("cancel", "crash")


class Case(NamedTuple):
    """One case.

    Attributes:
        name: of the case.
        definition: of the workflow.
        value: its input.
        answers: of functions, call by call of one key, the last one for all that follow.
        takes: seconds that a call of a function takes; none where it is not told.
        happens: what happens while a function is called for the first time, ``cancel`` or
            ``crash``, to that function.
        verdicts: what functions say of steps that may have run, question by question of one key,
            the last one for all that follow. A function that is not told cannot tell.
        end: of the run.
        calls: how often each function is called, by name.
        questions: how often each function is asked what became of a step, by name.
        events: that are sent to the run: seconds after its start, name and value.
        flows: other workflows that it runs.
    """

    name: str
    definition: Definition
    value: Json
    answers: Mapping[str, list[Answer]]
    takes: Mapping[str, float]
    happens: Mapping[str, str]
    verdicts: Mapping[str, list[StepVerdict]]
    end: Answer
    calls: Counter[str]
    questions: Counter[str]
    events: tuple[tuple[float, str, Json], ...] = ()
    flows: tuple[Definition, ...] = ()

    def answer(self, function: str, attempt: int) -> Answer:
        """Return the answer of a function, by how often its key was called, from 1."""
        answers = self.answers.get(function, [Returned()])
        return answers[min(attempt, len(answers)) - 1]

    def verdict(self, function: str, number: int) -> StepVerdict:
        """Return what a function says, by how often it was asked about the key, from 1.

        Each time that it has not run, it is void once more.
        """
        verdicts = self.verdicts.get(function, [UNSETTLED])
        verdict = verdicts[min(number, len(verdicts)) - 1]
        return verdict._replace(voids=number) if verdict.verdict is Verdict.NOT_RUN else verdict


@show_only("end calls questions")
class RunEnd(NamedTuple):
    """How a run ended.

    Attributes:
        end: of it.
        calls: how often each function was called, by its name and the key.
        payloads: with what, the last time; empty where the engine does not tell it.
        questions: how often each function was asked what became of a step, by its name and the key.
    """

    end: Answer
    calls: Counter[tuple[str, str]]
    payloads: Mapping[tuple[str, str], Json] = MappingProxyType({})
    questions: Mapping[tuple[str, str], int] = MappingProxyType({})


Runner: TypeAlias = Callable[[Case], RunEnd | None]
"""Runs a case to its end; None if the engine cannot do what happens in it."""


def difference_of(case: Case, run: RunEnd) -> str | None:
    """Return what is otherwise than the case says; None for nothing."""
    if _describe(run.end) != _describe(case.end):
        return f"it ends with {_describe(run.end)}, not {_describe(case.end)}"
    for verb, counted, expected in (
        ("calls", run.calls, case.calls),
        ("asks", run.questions, case.questions),
    ):
        by_name: Counter[str] = Counter()
        for (function, _), count in counted.items():
            by_name[function] += count
        names = sorted(by_name.keys() | expected.keys())
        wrong = [name for name in names if by_name[name] != expected[name]]
        if wrong:
            counts = ", ".join(f"{name} {by_name[name]}, not {expected[name]}" for name in wrong)
            return f"it {verb} {counts}"
    return None


def _describe(end: Answer) -> str:
    """Return an end as far as every engine tells it: of an error, its name."""
    return f"{end.value!r}" if isinstance(end, Returned) else f"the error {end.name}"


def cases_in(folder: Path) -> list[Case]:
    """Return all cases of a folder.

    Raises:
        ConfigError: there are none, or a file is not of this format.
    """
    cases = [case for path in sorted(folder.glob("*.yaml")) for case in _cases_of(path)]
    if not cases:
        raise ConfigError(f"{folder} has no cases of workflows")
    return cases


def _cases_of(path: Path) -> list[Case]:
    document: Any = yaml_in(path.read_text(encoding="utf-8"), str(path))
    if not isinstance(document, dict) or document.get("leeward") != FORMAT:
        raise ConfigError(f"{path}: leeward must be {FORMAT!r}; it tells what the document is")
    definition = read_definition(document["definition"], str(path))
    flows = tuple(read_definition(flow, str(path)) for flow in document.get("flows", ()))
    try:
        return [_case_of(definition, case)._replace(flows=flows) for case in document["cases"]]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigError(f"{path}: a case is not as it should be ({error})") from error


def _case_of(definition: Definition, row: Mapping[str, Any]) -> Case:
    if wrong := set(row.get("happens", {})) - set(INTERRUPTIONS):
        raise ValueError(f"{wrong} cannot happen")
    return Case(
        f"{definition.name}: {row['case']}",
        definition,
        row.get("input"),
        {name: [_answer(it) for it in values] for name, values in row.get("answers", {}).items()},
        row.get("takes", {}),
        row.get("happens", {}),
        {name: [_verdict(it) for it in values] for name, values in row.get("verdicts", {}).items()},
        _answer(row["end"]),
        Counter(row["calls"]),
        Counter(row.get("questions", {})),
        tuple((float(at), str(name), value) for at, name, value in row.get("events", ())),
    )


def _verdict(row: Mapping[str, Any]) -> StepVerdict:
    verdict, answer = Verdict(row["verdict"]), None
    if verdict is Verdict.RAN:
        answer = _answer(row) if row.get("kept", True) else RESULT_LOST
    return StepVerdict(verdict, answer, row.get("retry_after", 0))


def _answer(row: Mapping[str, Any]) -> Answer:
    if "error" in row:
        return StepFailure(row["error"], ambiguous=row["error"] in AMBIGUOUS)
    return Returned(row.get("value"))
