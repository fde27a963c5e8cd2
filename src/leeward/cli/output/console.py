"""Text for a person: rich on a terminal, plain aligned lines everywhere else.

Data never passes through a markup language, and a control character in it is shown as an escape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, Final, TextIO, TypeAlias

from rich.box import ROUNDED, SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.highlighter import JSONHighlighter
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from leeward.cli import item_json
from leeward.cli.output.exit_codes import ABSENT, BROKEN, WRONG
from leeward.cli.output.json_view import JsonObject
from leeward.records import NamedTuple

Row: TypeAlias = Sequence[str]

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

    def table(self, header: Row, rows: Sequence[Row], styles: Row = ()) -> None:
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
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for label, value in pairs:
            grid.add_row(Text(escape_cell(label)), Text(escape_cell(value)))
        self._put(grid)

    def table(self, header: Row, rows: Sequence[Row], styles: Row = ()) -> None:
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
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        for (name, *_), width in zip(columns, widths, strict=True):
            table.add_column(name, style=looks.get(name, ""), width=width)
        for line in zip(*(column[1:] for column in columns), strict=True):
            table.add_row(*(Text(cell, overflow="fold") for cell in line))
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


ATTEMPTS = ("target", "after", "took", "outcome", "code", "request id")
STYLES = ("cyan", "dim", "dim", "", "dim", "dim")
"""Of the columns of the attempts."""

APART = frozenset(
    {"type", "message", "outcome", "attempts", "exit_code", "may_have_run", "field", "trace"}
)
"""What the panel of an error does not list among its details."""


def render_value(data: JsonObject, printers: Printers) -> None:
    """Show a function's answer, its target and its attempts."""
    _render_main("value", data, printers)


def render_item(data: JsonObject, printers: Printers) -> None:
    """Show an item and its record."""
    _render_main("item", data, printers)


def render_items(data: JsonObject, printers: Printers) -> None:
    """Show the items of a partition, one on each line."""
    for each in data["items"]:
        printers.out.json(item_json.write(each["item"]))
    if not data["items"]:
        printers.err.text("No items.")
    if data["cursor"] is not None:
        printers.err.text(f"There are more: --cursor {data['cursor']}")


def render_absence(data: JsonObject, printers: Printers) -> None:
    """Show that there is no such item."""
    printers.err.text(f"{data['table']!r} has no item with this key.")


def render_object(data: JsonObject, printers: Printers) -> None:
    """Show what is known of an object."""
    told = {name: value for name, value in data.items() if name not in ("found", "metadata")}
    pairs = _details(told) + [(f"metadata {name}", text) for name, text in data["metadata"].items()]
    printers.out.pairs(pairs)
    _render_attempts(data["attempts"], printers.err, least=2)


def render_no_object(data: JsonObject, printers: Printers) -> None:
    """Show that there is no such object."""
    printers.err.text(f"{data['bucket']!r} has no object {data['name']!r}.")


def render_objects(data: JsonObject, printers: Printers) -> None:
    """Show the objects of a bucket."""
    if not data["objects"]:
        printers.err.text("No objects.")
        return
    rows = [(each["name"], f"{each['size']:,}", each["revision"]) for each in data["objects"]]
    printers.out.table(("name", "bytes", "revision"), rows, ("cyan",))
    if data["more"]:
        printers.err.text("There are more; say --limit NUMBER, or a longer prefix.")


def render_receipt(data: JsonObject, printers: Printers) -> None:
    """Show a receipt."""
    printers.out.pairs(_details(data))
    _render_attempts(data["attempts"], printers.err, least=2)


_REASONS: Final = {
    "not_asked": (
        "leeward.toml does not say that the function answers for its keys: set effect = 'keyed', "
        "or probe, in [functions.{function}]"
    ),
    "not_supported": "the function cannot settle its keys",
    "no_answer": "the function has not answered the question",
    "unreachable": "the function was not reached in time: ask again",
    "unknown": "its run may have had its effect, and it has no probe",
    "cannot_tell": "its probe cannot tell",
    "not_fenced": "its run may still act, because it announces no effects",
    "no_record": "it has no record, and nobody says when it was called: say --sent",
    "expired": "it has no record, and is older than records are kept",
    "unrecorded": "the function may have run it without a record, while its table was away",
    "other_target": "it has not run where leeward asked, and may have run elsewhere: name all "
    "targets where it may have been made with --target",
    "too_new": "it has no record, and when it was called, nobody may have made records yet",
    "changed": "it has no record here, and a version that may have run it keeps them otherwise",
    "unreadable": "what is in the table is not a record of leeward's",
}
"""What the reasons of a verdict mean; a function of another framework has its own words."""


def verdict_in_words(data: JsonObject, function: str) -> str:
    """Return what became of a call of a function, as a sentence."""
    match data["verdict"]:
        case "ran" if data["failure"]:
            return f"It ran, and failed: {data['failure']['error_type']}."
        case "ran":
            return "It ran." if data["kept"] else "It ran; its result was not kept."
        case "not_run":
            return "It did not run, and never will. A new call with its key runs."
        case "running":
            return "It still runs. Ask again."
        case _:
            why = _REASONS.get(data["reason"] or "", data["reason"] or "the function does not say")
            why = why.replace("{function}", function)
            why += f" ({data['detail']})" if data["detail"] else ""
            look = f" leeward keys show {data['record']}" if data["record"] else ""
            return f"Nobody can tell: {why}.{look}"


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


def spoken(value: Any) -> str:
    """Return a value in words."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _render_main(main: str, data: JsonObject, printers: Printers) -> None:
    printers.out.json(item_json.write(data[main], indent=2))
    rest = {name: value for name, value in data.items() if name not in (main, "found")}
    printers.err.text(", ".join(f"{name} {value}" for name, value in _details(rest)), "dim")
    _render_attempts(data["attempts"], printers.err, least=2)


def _render_attempts(attempts: Any, err: Printer, *, least: int) -> None:
    """Show attempts if there are at least `least`; empty columns are left out."""
    if len(attempts) < least:
        return
    rows = [_attempt(attempt) for attempt in attempts]
    told = [column for column, cells in enumerate(zip(*rows, strict=True)) if any(cells)]
    err.text("")
    err.table(
        [ATTEMPTS[column] for column in told],
        [[row[column] for column in told] for row in rows],
        [STYLES[column] for column in told],
    )


def _attempt(data: JsonObject) -> tuple[str, ...]:
    kind = "read back: " if data["read_back"] else ""
    return (
        data["target"],
        f"{data['started']:.3f} s",
        f"{data['duration']:.3f} s",
        f"{kind}{data['outcome']}",
        data["code"] or "",
        data["request_id"] or "",
    )


def _details(data: JsonObject) -> list[tuple[str, str]]:
    """Return labels and values as a person reads them; None and False are left out."""
    return [
        (name.replace("_", " "), spoken(value))
        for name, value in data.items()
        if name not in APART and value is not None and value is not False
    ]
