"""Programs that play an engine, so that cases can be run on it.

A program reads and writes one JSON object a line:

* it gets ``{"definition": ..., "run": ..., "input": ...}``: the definition as an export writes it
  for the engine, or itself as JSON;
* it asks ``{"call": ..., "key": ..., "payload": ...}`` whenever the workflow calls a function, and
  gets ``{"value": ...}`` or ``{"error": ...}``; ``"voids"`` is the number of the voids of the key
  that the call knows, if there are any;
* it asks ``{"settle": ..., "key": ..., "payload": ..., "voids": ...}`` whenever the workflow asks a
  function what became of a step, and gets ``{"verdict": ..., "voids": ..., "retry_after": ...}``;
  behind ``ran`` there is also ``"value"`` or ``"error"``, and ``"ambiguous"`` where the result is
  lost;
* it ends with ``{"done": {"status": "SUCCEEDED", "output": ...}}`` or
  ``{"done": {"status": "FAILED", "error": ...}}``.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from leeward.envelope import REPEAT_REFUSED
from leeward.errors import ConfigError
from leeward.values import Json
from leeward.workflow.checks import check_portable
from leeward.workflow.commands import UNSETTLED, Answer, Returned, StepFailure, StepVerdict
from leeward.workflow.model import Definition
from leeward_contract_tests.workflows.cases import RUN, Case, RunEnd

Answering = Callable[[str, str, int], Answer]
"""Answers a call by its function, its key, and how often it was made, from 1."""
Judge = Callable[[str, str, int], StepVerdict]
"""Says what became of a step, by its function, its key, and how often it was asked, from 1."""


def cannot_tell(*_: object) -> StepVerdict:
    """Answer every question with unknown."""
    return UNSETTLED


class EngineProcess:
    """A program that plays an engine.

    Args:
        command: that starts it.
        export: what makes of a definition what it runs.
        env: its environment; None for that of this process.
    """

    def __init__(
        self,
        command: Sequence[str],
        export: Callable[[Definition], Any],
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._export = export
        try:
            self._process = subprocess.Popen(  # noqa: S603 - whoever runs the cases names it
                command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        except OSError as error:
            raise ConfigError(f"{command[0]!r} cannot be started: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def __call__(self, case: Case) -> RunEnd | None:
        """Run a case, unless something happens in it that nobody can do to another program.

        Nor can one be run that no cloud's engine has yet.
        """
        try:
            check_portable(case.definition)
        except ConfigError:
            return None
        if case.happens:
            return None

        def answering(function: str, key: str, attempt: int) -> Answer:
            del key
            time.sleep(case.takes.get(function, 0.0))
            return case.answer(function, attempt)

        return self.run(
            case.definition,
            case.value,
            answering,
            lambda function, _, number: case.verdict(function, number),
        )

    def run(
        self,
        definition: Definition,
        value: Json,
        answering: Answering,
        judge: Judge = cannot_tell,
    ) -> RunEnd:
        """Run a definition to its end.

        A call that knows fewer voids of its key than there are is refused, as a function does.

        Raises:
            ConfigError: the program has ended, or writes something else.
        """
        calls: Counter[tuple[str, str]] = Counter()
        questions: Counter[tuple[str, str]] = Counter()
        voids: Counter[str] = Counter()
        payloads: dict[tuple[str, str], Json] = {}

        def reply(said: Mapping[str, Any]) -> Answer | StepVerdict:
            place = (str(said.get("call") or said.get("settle")), str(said.get("key")))
            if "settle" in said:
                questions[place] += 1
                verdict = judge(*place, questions[place])
                voids[place[1]] = max(voids[place[1]], verdict.voids)
                return verdict
            calls[place] += 1
            payloads[place] = said.get("payload")
            if said.get("voids", 0) < voids[place[1]]:
                return StepFailure(REPEAT_REFUSED)
            return answering(*place, calls[place])

        return RunEnd(self.converse(definition, value, reply), calls, payloads, questions)

    def converse(
        self,
        definition: Definition,
        value: Json,
        reply: Callable[[Mapping[str, Any]], Answer | StepVerdict | Mapping[str, Json]],
    ) -> Answer:
        """Run a definition to its end, and answer whatever the program asks; return the end.

        Anything but an answer of a flow goes to the program as it is.

        Raises:
            ConfigError: the program has ended, or writes something else.
        """
        self._send({"definition": self._export(definition), "run": RUN, "input": value})
        while "done" not in (said := self._receive()):
            answer = reply(said)
            if isinstance(answer, StepVerdict):
                self._send(_document_of_verdict(answer))
            elif isinstance(answer, Returned | StepFailure):
                self._send(_document_of(answer))
            else:
                self._send(answer)
        return _end_of(said["done"])

    def _send(self, value: Any) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(value) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ConfigError("the program that plays the engine has ended") from None

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ConfigError("the program that plays the engine has ended")
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise ConfigError(f"the program that plays the engine writes no JSON object: {line!r}")
        return said


def _document_of(answer: Answer) -> dict[str, Json]:
    return {"value": answer.value} if isinstance(answer, Returned) else {"error": answer.name}


def _document_of_verdict(verdict: StepVerdict) -> dict[str, Json]:
    document = {
        "verdict": verdict.verdict.value,
        "voids": verdict.voids,
        "retry_after": verdict.retry_after,
    }
    answer = verdict.answer
    if answer is None:
        return document
    is_lost = isinstance(answer, StepFailure) and answer.ambiguous
    return {**document, **_document_of(answer), "ambiguous": is_lost}


def _end_of(done: Any) -> Answer:
    if isinstance(done, dict) and done.get("status") == "SUCCEEDED":
        return Returned(done.get("output"))
    if isinstance(done, dict) and done.get("status") == "FAILED":
        return StepFailure(str(done.get("error")), steps=(str(done.get("cause"))[:700],))
    raise ConfigError(f"the program that plays the engine ends a run with {done!r}")
