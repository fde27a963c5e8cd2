"""The table of a demo: what was done, which targets were tried, and what the caller was told.

Targets have letters there, so that no cell is wrapped where a line has 80 characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from string import ascii_uppercase
from typing import NamedTuple

from leeward.cli.output.console import Printer

HEADER = ("what", "tried", "told")
STYLES = ("", "cyan")


class Row(NamedTuple):
    """One step, or, with nothing but `what`, what has happened before the next ones.

    Attributes:
        what: was done.
        tries: the target and the outcome of each attempt.
        told: what the caller got.
    """

    what: str
    tries: Sequence[tuple[str, str]] = ()
    told: str = ""


def render_rows(targets: Sequence[str], rows: Iterable[Row], out: Printer) -> None:
    """Write the letters of the targets, and below them a line for each row."""
    letters = dict(zip(targets, ascii_uppercase, strict=False))
    out.pairs([(letter, target) for target, letter in letters.items()])
    out.text("")
    out.table(HEADER, [(row.what, _tried(row.tries, letters), row.told) for row in rows], STYLES)


def _tried(tries: Sequence[tuple[str, str]], letters: dict[str, str]) -> str:
    """Return attempts like ``A not sent x2, B ok``."""
    return ", ".join(
        _times(f"{letters[target]} {outcome.replace('_', ' ')}", len(list(same)))
        for (target, outcome), same in groupby(tries)
    )


def _times(text: str, count: int) -> str:
    return text if count == 1 else f"{text} x{count}"
