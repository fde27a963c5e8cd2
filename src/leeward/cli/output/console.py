"""Text for a person: rich on a terminal, plain aligned lines everywhere else.

Data never passes through a markup language, and a control character in it is shown as an escape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple, Protocol, TextIO, TypeAlias

from rich.box import ROUNDED, SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.highlighter import JSONHighlighter
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

Row: TypeAlias = Sequence[str]


class Printers(NamedTuple):
    """Where a command writes for a person.

    Attributes:
        out: the standard output, for the result.
        err: the standard error, for errors and details.
    """

    out: Printer
    err: Printer


class Printer(Protocol):
    """Writes to one stream. Styles are rich's; plain text has none."""

    def text(self, text: str, style: str = "") -> None:
        """Write a paragraph."""

    def lines(self, text: str, style: str = "") -> None:
        """Write lines that must not be wrapped, such as source."""

    def json(self, text: str) -> None:
        """Write JSON, which must not be wrapped either."""

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Write labels and values, side by side."""

    def table(self, header: Row, rows: Sequence[Row], styles: Row = ()) -> None:
        """Write a table; `styles` are those of its first columns."""

    def panel(self, title: str, style: str) -> AbstractContextManager[None]:
        """Draw a frame around what is written inside the ``with``."""


def printer_for(stream: TextIO) -> Printer:
    """Return a rich printer if `stream` is a terminal, else a plain one."""
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return RichPrinter(console)
    return PlainPrinter(stream)


class PlainPrinter:
    """Aligned lines, for pipes, files and dumb terminals."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def text(self, text: str, style: str = "") -> None:
        """Write a paragraph on one line."""
        self.lines(text)

    def lines(self, text: str, style: str = "") -> None:
        """Write lines."""
        self._stream.write(f"{shown(text)}\n")

    def json(self, text: str) -> None:
        """Write JSON."""
        self.lines(text)

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Write a line for each pair."""
        self._aligned(pairs)

    def table(self, header: Row, rows: Sequence[Row], styles: Row = ()) -> None:
        """Write a line for the header and one for each row."""
        self._aligned([[name.upper() for name in header], *rows])

    @contextmanager
    def panel(self, title: str, style: str) -> Iterator[None]:
        """Write the title, then the content."""
        self.lines(title)
        yield

    def _aligned(self, rows: Sequence[Row]) -> None:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.lines("  ".join(cells).rstrip())


class RichPrinter:
    """Colours, frames and wrapped columns, for terminals; ``NO_COLOR`` takes the colours away."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._framed: list[RenderableType] | None = None

    def text(self, text: str, style: str = "") -> None:
        """Write a paragraph, wrapped."""
        self._put(Text(shown(text), style))

    def lines(self, text: str, style: str = "") -> None:
        """Write lines that only the terminal wraps."""
        self._console.print(Text(shown(text), style), soft_wrap=True)

    def json(self, text: str) -> None:
        """Write JSON in colours."""
        self._console.print(JSONHighlighter()(Text(shown(text))), soft_wrap=True)

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Write a grid of two columns."""
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for label, value in pairs:
            grid.add_row(Text(shown(label)), Text(shown(value)))
        self._put(grid)

    def table(self, header: Row, rows: Sequence[Row], styles: Row = ()) -> None:
        """Write a table that fits the width."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
        for index, name in enumerate(header):
            table.add_column(name, style=styles[index] if index < len(styles) else "")
        for row in rows:
            table.add_row(*(Text(shown(cell), overflow="fold") for cell in row))
        self._put(table)

    @contextmanager
    def panel(self, title: str, style: str) -> Iterator[None]:
        """Draw a frame with a title around the content."""
        framed: list[RenderableType] = []
        self._framed = framed
        try:
            yield
        finally:
            self._framed = None
        body = Group(*framed)
        self._console.print(
            Panel(
                body, title=Text(shown(title)), title_align="left", border_style=style, box=ROUNDED
            )
        )

    def _put(self, thing: RenderableType) -> None:
        if self._framed is None:
            self._console.print(thing)
        else:
            self._framed.append(thing)


def shown(text: str) -> str:
    """Return `text` with escapes for everything that a terminal would obey."""
    return "".join(each if each.isprintable() or each == "\n" else _escape(each) for each in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
