"""The command group: what typer leaves open about arguments, errors and help."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from traceback import print_exception
from typing import Any, TypeVar, cast

import typer
from typer.core import TyperCommand, TyperGroup

from leeward.cli import DEBUG, NO_TRUST_ENV, is_debugging
from leeward.cli.output.exit_codes import INTERRUPTED, UNEXPECTED, WRONG, exit_code_of
from leeward.cli.output.json_view import JsonObject, json_of_error, json_of_failure
from leeward.cli.output.output import OutputError, output_for
from leeward.errors import LeewardError

T = TypeVar("T")

JSON = "--json"
VALUED = ("--targets", "--config")

FLAGS = (JSON, NO_TRUST_ENV)

UsageError = cast("type[Exception]", typer.BadParameter.__mro__[1])
"""What a wrong command line raises. Typer exports only this one class below it."""


class Command(TyperCommand):
    """A command whose help is plain where nobody looks at it."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        _choose_help_style(self)
        super().format_help(ctx, formatter)


class Commands(TyperGroup):
    """Commands below one name; errors are the whole group's matter."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        _choose_help_style(self)
        super().format_help(ctx, formatter)


class Group(TyperGroup):
    """The commands together: global options anywhere, and errors that say what to do."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        _choose_help_style(self)
        super().format_help(ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the global options."""
        parse = super().parse_args
        return _run_reporting_errors(lambda: parse(ctx, globals_first(args)), json=JSON in args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        run = super().invoke
        return _run_reporting_errors(lambda: run(ctx), json=ctx.params["json"])


def globals_first(args: Sequence[str]) -> list[str]:
    """Move the global options to the front, where click looks for them."""
    first: list[str] = []
    rest: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word in FLAGS or word.startswith(tuple(f"{option}=" for option in VALUED)):
            first.append(word)
        elif word in VALUED:
            value = list(islice(words, 1))
            if not value:
                return [*first, word]  # so that click misses the value, not the command
            first += [word, *value]
        else:
            rest.append(word)
    return [*first, *rest]


def _run_reporting_errors(run: Callable[[], T], *, json: bool) -> T:
    """Return what `run` gives; an error is shown, and becomes the exit code of its class."""
    try:
        return run()
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise  # not errors: typer ends the process
    except UsageError as error:
        data = _usage(error)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - it is reported
        if is_debugging():
            print_exception(error)
        data = _failure(error)
    output_for(json=json).show_error(data)
    raise typer.Exit(data["exit_code"])


def _failure(error: BaseException) -> JsonObject:
    match error:
        case LeewardError():
            return json_of_error(error, exit_code_of(error))
        case KeyboardInterrupt():
            message = "Interrupted. A call that was under way may have run, or not."
            return json_of_failure("Interrupted", message, INTERRUPTED)
        case OutputError():
            _discard_output()
            message = (
                f"The command has done its work, but {error}. "
                "Find out what it did before you repeat it."
            )
            return json_of_failure("OutputError", message, UNEXPECTED)
        case _:
            return _unexpected(error)


def _discard_output() -> None:
    """Let Python not try again to write what is buffered when it ends: it would fail again."""
    with suppress(OSError, ValueError):  # ValueError: the stream is not a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage(error: Any) -> JsonObject:
    command = error.ctx.command_path if error.ctx is not None else "leeward"
    message = error.format_message().rstrip(".")
    stop = "" if message.endswith("?") else "."
    return json_of_failure("UsageError", f"{message}{stop} See {command} --help.", WRONG)


def _unexpected(error: BaseException) -> JsonObject:
    """Name the class and the place only: the message may hold a payload."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    location = "" if trace is None else f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    message = (
        f"{type(error).__name__}{location}. This is an error of leeward or of an adapter, please "
        f"report it; {DEBUG}=1 shows the traceback. A call that was under way may have run, or not."
    )
    return json_of_failure("Unexpected", message, UNEXPECTED)


def _choose_help_style(command: Any) -> None:
    """Choose rich help for a terminal, plain help for a pipe."""
    if sys.stdout.isatty():
        command.epilog = command.epilog and command.epilog.replace("\b\n", "")
    else:
        command.rich_markup_mode = None
