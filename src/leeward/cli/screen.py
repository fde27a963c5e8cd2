"""Where a command's results and errors go: to a person, or, with ``--json``, to a program.

Results stand on the standard output, errors on the standard error, in both.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol, TextIO, TypeAlias

from leeward.cli import exact_json
from leeward.cli.drawing import draw_failure
from leeward.cli.facts import Facts
from leeward.cli.paper import Papers, paper

Draw: TypeAlias = Callable[[Facts, Papers], None]
"""Shows facts to a person."""


class Screen(Protocol):
    """What a command writes to."""

    def show(self, facts: Facts, draw: Draw) -> None:
        """Show the result of a command."""

    def fail(self, facts: Facts) -> None:
        """Show an error."""


class Person:
    """Reads what `draw` makes of the facts; `out` is the standard output."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, facts: Facts, draw: Draw) -> None:
        """Show the result of a command."""
        draw(facts, Papers(paper(self._out), paper(sys.stderr)))

    def fail(self, facts: Facts) -> None:
        """Show an error."""
        draw_failure(facts, paper(sys.stderr))


class Program:
    """Reads the facts themselves: one JSON object on one line, in ASCII."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, facts: Facts, draw: Draw) -> None:
        """Show the result of a command."""
        _write(self._out, facts)

    def fail(self, facts: Facts) -> None:
        """Show an error, as the one key ``error``."""
        _write(sys.stderr, {"error": facts})


def screen(*, json: bool) -> Screen:
    """Return the screen that was asked for."""
    return Program(sys.stdout) if json else Person(sys.stdout)


def _write(stream: TextIO, facts: Facts) -> None:
    stream.write(f"{exact_json.write(facts, ascii_only=True)}\n")
