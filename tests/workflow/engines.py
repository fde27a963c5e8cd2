"""The clouds' engines, as near as they can be started here, each in a process of its own.

Each is given what the export writes, and asks the test what a function answers.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple, Self

from leeward.values import Json
from leeward.workflow.commands import Answer, Failure, Returned
from leeward.workflow.model import Definition
from tests.house.workspace import ROOT

PYTHON = ROOT / ".servers/engines/bin/python"

SOURCES = [str(ROOT / "src"), str(ROOT / "adapters/azure/src")]

Answering = Callable[[str, str, int], Answer]
"""Answers a call by its function, its key, and how often it was made, from 1."""


class Ended(NamedTuple):
    """How a run ended, and which functions were called, by name and key, how often."""

    end: Answer
    calls: Counter[tuple[str, str]]


class EngineProcess:
    """One engine.

    Args:
        module: below ``tests/servers/workflows``.
        export: what makes of a definition what the engine runs.
        words: for its command line.
    """

    def __init__(self, module: str, export: Callable[[Definition], Any], *words: str) -> None:
        self._export = export
        self._process = subprocess.Popen(
            [str(PYTHON), str(ROOT / f"tests/servers/workflows/{module}.py"), *words],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(SOURCES)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def run(
        self, definition: Definition, value: Json, answering: Answering, run: str = "run"
    ) -> Ended:
        """Run a definition to its end."""
        task = {"definition": self._export(definition), "run": run, "input": value}
        calls: Counter[tuple[str, str]] = Counter()
        self._send(task)
        while True:
            said = self._receive()
            if "call" not in said:
                break
            place = (said["call"], said["key"])
            calls[place] += 1
            self._send(_told(answering(*place, calls[place])))
        assert "done" in said, said
        return Ended(_end(said["done"]), calls)

    def _send(self, value: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def _receive(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the engine's process has ended"
        return json.loads(line)


def _told(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, Returned):
        return {"value": answer.value}
    return {"error": answer.name}


def _end(done: dict[str, Any]) -> Answer:
    if done["status"] == "SUCCEEDED":
        return Returned(done.get("output"))
    assert done["status"] == "FAILED", done
    return Failure(
        done["error"],
        steps=(str(done.get("cause"))[:700],) if done["error"] == "States.Runtime" else (),
    )
