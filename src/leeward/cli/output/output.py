"""Where a command's results and errors go: to a person, or, with ``--json``, to a program.

Results stand on the standard output, errors on the standard error, in both.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import typer

from leeward.cli.output.console import Printers, printer_for, render_failure, render_report
from leeward.logs import places_of, traceback_of
from leeward.views import Json, Report, item_json


class OutputError(Exception):
    """The result of a command cannot be written; the command itself has done its work."""


def write_file(path: Path, pieces: Iterable[bytes]) -> int:
    """Write a file, which takes its name once it is whole; return its bytes.

    What is written until then has a name that nobody can guess and prepare, and no link is
    followed: neither there nor at the name itself.

    Raises:
        OutputError: it cannot be written.
    """
    part = path.with_name(f".{path.name[:100]}.{os.urandom(8).hex()}.part")
    how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    written = 0
    try:
        try:
            with open(os.open(part, how, 0o666), "wb") as file:  # noqa: PTH123 - a descriptor
                for piece in pieces:
                    written += file.write(piece)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error
    return written


class Output:
    """What a command writes to: for a person, or for a program one JSON object in ASCII."""

    def __init__(self, *, json: bool, tracebacks: bool = True) -> None:
        self._out = sys.stdout
        self.is_for_programs = json
        self.tracebacks = tracebacks

    def report(self, report: Report) -> None:
        """Show the result of a command.

        Raises:
            OutputError: it cannot be written, for example because the disk is full.
            typer.Exit: the command ends with another exit code than 0.
        """
        with _write_to(self._out):
            if self.is_for_programs:
                _write(self._out, report.data)
            else:
                render_report(report, Printers(printer_for(self._out), printer_for(sys.stderr)))
        if report.exit_code:
            raise typer.Exit(report.exit_code)

    def show_error(self, data: Json) -> None:
        """Show an error; for a program, as the one key ``error``."""
        if self.is_for_programs:
            _write(sys.stderr, {"error": data})
        else:
            render_failure(data, printer_for(sys.stderr))

    def show_traceback(self, error: BaseException | None) -> None:
        """Show a person what code of the user's has raised in this process."""
        shows = self.tracebacks and not self.is_for_programs
        if shows and error is not None and places_of(error):
            sys.stderr.write(f"\n{traceback_of(error)}\n")


def pour(out: TextIO, pieces: Iterable[bytes]) -> None:
    """Write bytes to the standard output `out`, as they are."""
    with _write_to(out):
        out.flush()
        for piece in pieces:
            out.buffer.write(piece)


@contextmanager
def _write_to(out: TextIO) -> Iterator[None]:
    """Write what is buffered at once, so that a failure is noticed here and not at the exit."""
    try:
        yield
        out.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"the result cannot be written: {error.strerror}") from error


def _write(stream: TextIO, data: Json) -> None:
    stream.write(f"{item_json.write(data, ascii_only=True)}\n")
