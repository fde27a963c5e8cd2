"""Programs that play an engine, so that cases can be run on it.

A program reads and writes one JSON object a line:

* it gets ``{"definition": ..., "run": ..., "input": ...}``: the definition as an export writes it
  for the engine, or itself as JSON;
* it asks ``{"call": ..., "key": ..., "payload": ...}`` whenever the workflow calls a function, and
  gets ``{"value": ...}`` or ``{"error": ...}``;
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

from leeward.errors import ConfigError
from leeward.values import Json
from leeward.workflow.commands import Answer, Returned, StepFailure
from leeward.workflow.model import Definition
from leeward_contract_tests.workflows.cases import RUN, Case, RunEnd

Answering = Callable[[str, str, int], Answer]
"""Answers a call by its function, its key, and how often it was made, from 1."""


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
        """Run a case, unless something happens in it that nobody can do to another program."""
        if case.happens:
            return None

        def answering(function: str, key: str, attempt: int) -> Answer:
            del key
            time.sleep(case.takes.get(function, 0.0))
            return case.answer(function, attempt)

        return self.run(case.definition, case.value, answering)

    def run(self, definition: Definition, value: Json, answering: Answering) -> RunEnd:
        """Run a definition to its end.

        Raises:
            ConfigError: the program has ended, or writes something else.
        """
        calls: Counter[tuple[str, str]] = Counter()
        payloads: dict[tuple[str, str], Json] = {}
        self._send({"definition": self._export(definition), "run": RUN, "input": value})
        while "call" in (said := self._receive()):
            place = (str(said["call"]), str(said["key"]))
            calls[place] += 1
            payloads[place] = said.get("payload")
            answer = answering(*place, calls[place])
            is_well = isinstance(answer, Returned)
            self._send({"value": answer.value} if is_well else {"error": answer.name})  # type: ignore[union-attr]
        return RunEnd(_end_of(said.get("done")), calls, payloads)

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


def _end_of(done: Any) -> Answer:
    if isinstance(done, dict) and done.get("status") == "SUCCEEDED":
        return Returned(done.get("output"))
    if isinstance(done, dict) and done.get("status") == "FAILED":
        return StepFailure(str(done.get("error")), steps=(str(done.get("cause"))[:700],))
    raise ConfigError(f"the program that plays the engine ends a run with {done!r}")
