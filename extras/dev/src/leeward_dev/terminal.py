"""What `leeward dev` writes to its terminal: one line for each thing that passes."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, Final, TextIO

from leeward_dev.feed import Entry

_COLOURS: Final = {"good": "32", "bad": "31", "dim": "2", "bold": "1"}
"""As ANSI numbers them."""

SHOWN_CALLS: Final = ("publish", "enqueue")
"""Calls that have a line: what a handler sets off. Other calls are for the console alone."""

HANDLER_LOGS: Final = "leeward.app."
"""How the names of the loggers of handlers begin."""


class Terminal:
    """Writes lines for people, or, with ``--json``, a JSON object on each line.

    Args:
        out: where to; the standard output as it is now by default.
        as_json: for programs.
    """

    def __init__(self, out: TextIO | None = None, *, as_json: bool = False) -> None:
        self._out = sys.stdout if out is None else out
        self._as_json = as_json
        self._has_colours = self._out.isatty() and "NO_COLOR" not in os.environ
        self._here = f"{Path.cwd()}{os.sep}"
        self._lock = Lock()

    def say(self, text: str, **facts: Any) -> None:
        """Write what `leeward dev` itself has to say; with ``--json`` also its `facts`."""
        if self._as_json:
            self._write(json.dumps({"kind": "dev", "text": text, **facts}))
        else:
            self._write(self._paint("bold", "leeward dev") + f"  {_escape(text)}")

    def show(self, entry: Entry) -> None:
        """Write an entry of the feed; for people only what they would miss."""
        if self._as_json:
            fields = entry._asdict() | {"facts": dict(entry.facts)}
            self._write(json.dumps(fields))
        elif entry.kind != "call" or entry.what in SHOWN_CALLS:
            self._write("\n".join([self._line(entry), *self._details(entry)]))

    def _line(self, entry: Entry) -> str:
        moment = datetime.fromtimestamp(entry.time).astimezone()
        time = self._paint("dim", f"{moment:%H:%M:%S}")
        if entry.kind == "log":
            name = str(entry.facts.get("handler", entry.name.removeprefix(HANDLER_LOGS)))
            what = self._paint("dim" if entry.is_good else "bad", entry.what)
            return f"{time}  {self._paint('bold', _escape(name))}  {what}  {_escape(entry.text)}"
        took = f"{(entry.seconds or 0.0) * 1000:.0f} ms"
        name, what = self._paint("bold", _escape(entry.name)), self._paint("dim", entry.what)
        return f"{time}  {name}  {what}  {self._end(entry)}  {took}"

    def _end(self, entry: Entry) -> str:
        """Return how a run or a call has ended."""
        if entry.is_good:
            types = entry.facts.get("types")
            return self._paint("good", entry.outcome) + (
                f"  {_escape(str(types))}" if types else ""
            )
        text = f"{entry.outcome}: {entry.text}" if entry.text else entry.outcome
        ran = f"  ran: {entry.facts['ran']}" if "ran" in entry.facts else ""
        attempt = entry.facts.get("attempt")
        again = f"  attempt {attempt}" if attempt is not None else ""
        return self._paint("bad", _escape(text)) + ran + again

    def _details(self, entry: Entry) -> list[str]:
        """Return a line for each place that a failure comes from."""
        lines = [f"          {_escape(frame.removeprefix(self._here))}" for frame in entry.frames]
        causes = entry.facts.get("causes")
        if causes:
            lines.append(f"          because of {_escape(str(causes)).replace(self._here, '')}")
        return lines

    def _paint(self, colour: str, text: str) -> str:
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self._has_colours else text

    def _write(self, line: str) -> None:
        """Write a line where that is possible: who calls has run a handler, and must not fail.

        A pipe may be closed, a disk full, and an app may close its standard output.
        """
        encoding = self._out.encoding or "utf-8"
        line = line.encode(encoding, "backslashreplace").decode(encoding)
        with self._lock, suppress(OSError, ValueError):
            self._out.write(f"{line}\n")
            self._out.flush()


def _escape(text: str) -> str:
    """Return a text with escapes for what a terminal would obey."""
    return text if text.isprintable() else repr(text)[1:-1]
