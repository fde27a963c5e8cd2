"""Text for a person: rich on a terminal, plain aligned lines everywhere else.

Data never passes through a markup language, and a control character in it is shown as an escape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, Final, TextIO, TypeAlias

from rich.box import ROUNDED, SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.highlighter import JSONHighlighter
from rich.panel import Panel
from rich.table import Table as Grid
from rich.text import Text

from leeward.cli.output.exit_codes import ABSENT, BROKEN, WRONG
from leeward.cli.output.json_view import JsonObject
from leeward.records import NamedTuple
from leeward.views import (
    Block,
    Column,
    Details,
    Format,
    Part,
    Report,
    Table,
    in_words,
    item_json,
    severity_of,
    spoken,
)
from leeward.views.calls import verdict_in_words

Row: TypeAlias = Sequence[str]
Style: TypeAlias = str | Callable[[str], str]
"""Of a column; or what returns that of a cell, by its text."""

GAP = 2
"""Characters between two columns of a table."""

FRAME = 4
"""Characters that a panel takes of each line."""

LONGEST_WORD = 36
"""Characters of a UUID: a longer word may break in a table."""

NOTHING_SAID = frozenset({"", "-"})
"""Cells without a value."""


class Printers(NamedTuple):
    """Where a command writes for a person.

    Attributes:
        out: the standard output, for the result.
        err: the standard error, for errors and details.
    """

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
            table.add_row(
                *(Text(cell, _style(look, cell), overflow="fold") for cell, look in styled)
            )
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
                body,
                title=Text(escape_text(title)),
                title_align="left",
                border_style=style,
                box=ROUNDED,
            )
        )

    def _put(self, thing: RenderableType) -> None:
        if self._framed is None:
            self._console.print(thing)
        else:
            self._framed.append(thing)


def _style(style: Style, cell: str) -> str:
    return style if isinstance(style, str) else style(cell)


def _fit(columns: Sequence[Row], room: int) -> list[int] | None:
    """Return a width for each column of a table, all in `room`; None if words would break."""
    room -= GAP * (len(columns) - 1)
    words = [[*map(cell_len, chain(*map(str.split, column)))] for column in columns]
    least = [min(LONGEST_WORD, max(each, default=0)) for each in words]
    widths = [min(max(room, 1), max(map(cell_len, column))) for column in columns]
    while sum(widths) > room >= sum(least):
        loose = (index for index, width in enumerate(widths) if width > least[index])
        widths[max(loose, key=widths.__getitem__)] -= 1
    return widths if sum(widths) <= room else None


def escape_text(text: str) -> str:
    """Return `text` with escapes for everything that a terminal would obey."""
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode()
        for each in text
    )


def escape_cell(text: str) -> str:
    """Return the same on one line: what looks like another row or label is one."""
    return escape_text(text).replace("\n", "\\n")


_ATTEMPTS: Final = (
    Column("Target", "target", is_name=True),
    Column("After", "started", Format.SECONDS),
    Column("Took", "duration", Format.SECONDS),
    Column("Outcome", lambda row: "read back: " * row["read_back"] + row["outcome"]),
    Column("Code", "code", is_rare=True),
    Column("Request id", "request_id", is_rare=True),
)

APART = frozenset(
    {"type", "message", "outcome", "attempts", "exit_code", "may_have_run", "field", "trace"}
)
"""What the panel of an error does not list among its details."""


def render_report(report: Report, printers: Printers) -> None:
    """Show a report: its parts as the result, its notes and the commands beside them."""
    for before, part in zip([None, *report.parts], report.parts, strict=False):
        if before is not None and not isinstance(part, Block | str):
            printers.out.text("")
        _render_part(part, report.now, printers)
    for note in report.notes:
        printers.err.text(note)
    if report.actions:
        printers.err.pairs([(each.title, each.command) for each in report.actions])


def _render_part(part: Part, now: float, printers: Printers) -> None:
    match part:
        case Block():
            (printers.out.json if part.is_json else printers.out.lines)(part.text)
        case Details():
            if part.title:
                printers.out.text(part.title, "bold")
            values = part.values()
            printers.out.pairs([(name.lower(), in_words(*each, now)) for name, each in values])
        case Table(rows=[]):
            printers.err.text(part.empty)
        case Table():
            _render_table(part, now, printers.out)
        case _:
            printers.out.text(part)


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


def render_main(main: str, data: JsonObject, printers: Printers) -> None:
    """Show a function's answer or an item, which is the field `main`; then target and attempts."""
    printers.out.json(item_json.write(data[main], indent=2))
    rest = {name: value for name, value in data.items() if name not in (main, "found")}
    printers.err.text(", ".join(f"{name} {value}" for name, value in _details(rest)), "dim")
    _render_attempts(data["attempts"], printers.err, least=2)


def render_items(data: JsonObject, printers: Printers) -> None:
    """Show the items of a partition, one on each line."""
    for each in data["items"]:
        printers.out.json(item_json.write(each["item"]))
    if not data["items"]:
        printers.err.text("No items.")
    if data["cursor"] is not None:
        printers.err.text(f"There are more: --cursor {data['cursor']}")


def render_object(data: JsonObject, printers: Printers) -> None:
    """Show what is known of an object."""
    told = {name: value for name, value in data.items() if name not in ("found", "metadata")}
    pairs = _details(told) + [(f"metadata {name}", text) for name, text in data["metadata"].items()]
    printers.out.pairs(pairs)
    _render_attempts(data["attempts"], printers.err, least=2)


def render_receipt(data: JsonObject, printers: Printers) -> None:
    """Show a receipt."""
    printers.out.pairs(_details(data))
    _render_attempts(data["attempts"], printers.err, least=2)


def render_verdict(function: str, data: JsonObject, printers: Printers) -> None:
    """Show what became of a call of a function: its result, or the verdict."""
    has_result = data["verdict"] == "ran" and data["kept"] and not data["failure"]
    if has_result:
        printers.out.json(item_json.write(data["result"], indent=2))
    (printers.err if has_result else printers.out).text(verdict_in_words(data, function))
    rest = {name: data[name] for name in ("target", "voids", "retry_after") if data[name]}
    if rest:
        printers.err.text(", ".join(f"{name} {value}" for name, value in _details(rest)), "dim")


def render_failure(data: JsonObject, err: Printer) -> None:
    """Show an error: what happened, whether the call may have run, what to do, the attempts."""
    with err.panel(f"{data['type']} (exit code {data['exit_code']})", "red"):
        err.text(data["message"])
        err.text("")
        err.pairs([*_ran_pairs(data), *_details(data)])
        for line in data.get("trace", ()):
            err.text(line, "dim")
        _render_attempts(data.get("attempts", ()), err, least=1)


def _ran_pairs(data: JsonObject) -> list[tuple[str, str]]:
    """Return whether a call may have run, for an error of one.

    Wrong usage makes no call, and whoever finds something wrong says in the message what was done.
    """
    codes = (WRONG.code, ABSENT.code, BROKEN.code)
    if data["exit_code"] in codes and not data.get("attempts"):
        return []
    ran = data["may_have_run"]
    return [("may have run", "perhaps" if ran is None else spoken(ran))]


def _render_attempts(attempts: Any, err: Printer, *, least: int) -> None:
    """Show attempts if there are at least `least`; empty columns are left out."""
    if len(attempts) < least:
        return
    err.text("")
    _render_table(Table(_ATTEMPTS, attempts), 0, err)


def _details(data: JsonObject) -> list[tuple[str, str]]:
    """Return labels and values as a person reads them; None and False are left out."""
    return [
        (name.replace("_", " "), spoken(value))
        for name, value in data.items()
        if name not in APART and value is not None and value is not False
    ]
