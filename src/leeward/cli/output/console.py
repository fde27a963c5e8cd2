"""Text for a person: rich on a terminal, plain aligned lines everywhere else.

Data never passes through a markup language, and a control character in it is shown as an escape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TextIO, TypeAlias

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.highlighter import JSONHighlighter
from rich.panel import Panel
from rich.table import Table as Grid
from rich.text import Text

from leeward.cli.output.exit_codes import ABSENT, BROKEN, WRONG
from leeward.records import NamedTuple
from leeward.views import (
    Block,
    Details,
    Format,
    Json,
    Part,
    Report,
    Table,
    in_words,
    severity_of,
    spoken,
)
from leeward.views.answers import labels_of, show_attempts

Row: TypeAlias = Sequence[str]
Style: TypeAlias = str | Callable[[str], str]
"""Of a column; or what returns that of a cell, by its text."""

GAP = 2  # characters between two columns of a table
FRAME = 4  # characters that a panel takes of each line
LONGEST_WORD = 36  # characters of a UUID: a longer word may break in a table
NOTHING_SAID = frozenset({"", "-"})  # cells without a value


class Printers(NamedTuple):
    """Where a command writes for a person."""

    out: Printer
    err: Printer


def printer_for(stream: TextIO) -> Printer:
    """Return a rich printer if `stream` is a terminal, else a plain one."""
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return RichPrinter(console)
    return Printer(stream)


class Printer:
    """Writes to one stream: aligned lines, for pipes, files and dumb terminals.

    Styles are rich's, and plain text has none.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def text(self, text: str, style: str = "") -> None:
        """Write a paragraph."""
        self.lines(text)

    def lines(self, text: str, style: str = "") -> None:
        """Write lines that must not be wrapped, such as source."""
        self._stream.write(f"{escape_text(text)}\n")

    def json(self, text: str) -> None:
        """Write JSON, which must not be wrapped either."""
        self.lines(text)

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Write labels and values, side by side."""
        self._print_rows(pairs)

    def table(self, header: Row, rows: Sequence[Row], styles: Sequence[Style] = ()) -> None:
        """Write a table; `styles` are those of its first columns."""
        self._print_rows([[name.upper() for name in header], *rows])

    @contextmanager
    def panel(self, title: str, style: str) -> Iterator[None]:
        """Draw a frame around what is written inside the ``with``; here the title alone."""
        self.lines(title)
        yield

    def _print_rows(self, rows: Sequence[Row]) -> None:
        shown = [[escape_cell(cell) for cell in row] for row in rows]
        widths = [max(map(cell_len, column)) for column in zip(*shown, strict=True)]
        for row in shown:
            cells = (
                cell + " " * (width - cell_len(cell))
                for cell, width in zip(row, widths, strict=True)
            )
            self.lines("  ".join(cells).rstrip())


class RichPrinter(Printer):
    """Colours, frames and wrapped columns, for terminals; ``NO_COLOR`` takes the colours away."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._framed: list[RenderableType] | None = None

    def text(self, text: str, style: str = "") -> None:
        """Write a paragraph, wrapped."""
        self._put(Text(escape_text(text), style))

    def lines(self, text: str, style: str = "") -> None:
        """Write lines that only the terminal wraps."""
        self._console.print(Text(escape_text(text), style), soft_wrap=True)

    def json(self, text: str) -> None:
        """Write JSON in colours."""
        self._console.print(JSONHighlighter()(Text(escape_text(text))), soft_wrap=True)

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Write a grid of two columns."""
        grid = Grid.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for label, value in pairs:
            grid.add_row(Text(escape_cell(label)), Text(escape_cell(value)))
        self._put(grid)

    def table(self, header: Row, rows: Sequence[Row], styles: Sequence[Style] = ()) -> None:
        """Write a table; if no width is left for its longest words, each row as pairs."""
        shown = [[escape_cell(cell) for cell in row] for row in rows]
        columns = list(zip(header, *shown, strict=True))
        looks = dict(zip(header, styles, strict=False))
        room = self._console.width - (0 if self._framed is None else FRAME)
        widths = _fit(columns, room)
        if widths is None:
            columns = [column for column in columns if not NOTHING_SAID.issuperset(column[1:])]
            widths = _fit(columns, room)
        if widths is None:
            for row in shown:
                pairs = zip(header, row, strict=True)
                self.pairs([pair for pair in pairs if pair[1] not in NOTHING_SAID])
                self.text("")
            return
        table = Grid(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        for (name, *_), width in zip(columns, widths, strict=True):
            table.add_column(name, width=width)
        used = [looks.get(name, "") for name, *_ in columns]
        for line in zip(*(column[1:] for column in columns), strict=True):
            styled = zip(line, used, strict=True)
            drawn = ((cell, look if isinstance(look, str) else look(cell)) for cell, look in styled)
            table.add_row(*(Text(cell, style, overflow="fold") for cell, style in drawn))
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
        name = Text(escape_text(title))
        framing = Panel(Group(*framed), title=name, title_align="left", border_style=style)
        self._console.print(framing)

    def _put(self, thing: RenderableType) -> None:
        if self._framed is None:
            self._console.print(thing)
        else:
            self._framed.append(thing)


def _fit(columns: Sequence[Row], room: int) -> list[int] | None:
    """Return a width for each column of a table, all in `room`; None if words would break."""
    room -= GAP * (len(columns) - 1)
    words = [[*map(cell_len, chain(*map(str.split, column)))] for column in columns]
    least = [min(LONGEST_WORD, max(length, default=0)) for length in words]
    widths = [min(max(room, 1), max(map(cell_len, column))) for column in columns]
    while sum(widths) > room >= sum(least):
        loose = (index for index, width in enumerate(widths) if width > least[index])
        widths[max(loose, key=widths.__getitem__)] -= 1
    return widths if sum(widths) <= room else None


def escape_text(text: str) -> str:
    """Return `text` with escapes for everything that a terminal would obey."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text
    )


def escape_cell(text: str) -> str:
    """Return the same on one line: what looks like another row or label is one."""
    return escape_text(text).replace("\n", "\\n")


APART = frozenset(
    {"type", "message", "outcome", "attempts", "exit_code", "may_have_run", "field", "trace"}
)
"""What the panel of an error does not list among its details."""


def render_report(report: Report, printers: Printers) -> None:
    """Show a report: its parts as the result, its notes and the commands beside them."""
    _render_parts(report.parts, report.now, printers.out, printers.err)
    _render_parts(report.notes, report.now, printers.err, printers.err)
    if report.actions:
        printers.err.pairs([(action.title, action.command) for action in report.actions])


def _render_parts(parts: Sequence[Part], now: float, out: Printer, err: Printer) -> None:
    for before, part in zip([None, *parts], parts, strict=False):
        if before is not None and not isinstance(part, Block | str):
            out.text("")
        match part:
            case Block():
                (out.json if part.is_json else out.lines)(part.text)
            case Details():
                if part.title:
                    out.text(part.title, "bold")
                out.pairs([(name.lower(), in_words(*each, now)) for name, each in part.values()])
            case Table(rows=[]):
                err.text(part.empty)
            case Table():
                _render_table(part, now, out)
            case _:
                out.text(part)


def _render_table(table: Table, now: float, out: Printer) -> None:
    columns = table.visible_columns()
    rows = [[in_words(each.value(row), each.format, now) for each in columns] for row in table.rows]
    styles: list[Style] = [
        (lambda cell: severity_of(cell).value)
        if each.format is Format.STATE
        else "cyan" * each.is_name
        for each in columns
    ]
    out.table([each.title.lower() for each in columns], rows, styles)


def render_failure(data: Json, err: Printer) -> None:
    """Show an error: what happened, whether the call may have run, what to do, the attempts."""
    with err.panel(f"{data['type']} (exit code {data['exit_code']})", "red"):
        err.text(data["message"])
        err.text("")
        err.pairs([*_ran_pairs(data), *labels_of(data, APART).items()])
        for line in data.get("trace", ()):
            err.text(line, "dim")
        for attempts in show_attempts(data.get("attempts", ()), least=1):
            err.text("")
            _render_table(attempts, 0, err)


def _ran_pairs(data: Json) -> list[tuple[str, str]]:
    """Return whether a call may have run, for an error of one.

    Wrong usage makes no call, and whoever finds something wrong says in the message what was done.
    """
    codes = (WRONG.code, ABSENT.code, BROKEN.code)
    if data["exit_code"] in codes and not data.get("attempts"):
        return []
    ran = data["may_have_run"]
    return [("may have run", "perhaps" if ran is None else spoken(ran))]
