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

from leeward.cli.output.exit_codes import (
    INTERRUPTED,
    UNEXPECTED,
    WRONG,
    exit_code_of,
    json_of_error,
    json_of_failure,
)
from leeward.cli.output.output import Output, OutputError
from leeward.entrypoints import EntryPoint, all_entry_points, entry_points
from leeward.errors import ConfigError, FunctionError, LeewardError
from leeward.views import Json, Report

T = TypeVar("T")

JSON = "--json"
NO_TRUST_ENV = "--no-trust-env"  # the option with which the environment does not count

DEBUG = "LEEWARD_DEBUG"
"""The variable with which every error shows its traceback, and those of its causes."""

VALUED = ("--targets", "--config")

NO_TRACEBACK = "--no-traceback"
"""The option with which no text of a handler's exception is shown."""

FLAGS = (JSON, NO_TRUST_ENV, NO_TRACEBACK)

ENTRY_POINTS = "leeward.commands"
"""The entry points by which a distribution adds commands: each names a `typer.Typer`.

The name is that of the command, such as ``backup``; below a group, ``workflow.export``."""

SOURCES = {
    "backup": 'pip install "leeward[backup]"',
    "console": 'pip install "leeward[dev]"',
    "dev": 'pip install "leeward[dev]"',
    "edge": 'pip install "leeward[deploy]"',
    "export": 'pip install "leeward[deploy]"',
    "package": 'pip install "leeward[deploy]"',
    "postgres": 'pip install "leeward[postgres]"',
    "workflow.conformance": "pip install leeward-contract-tests",
    "workflow.export": 'pip install "leeward[deploy]"',
}
"""What installs the commands that come with another distribution of leeward."""

PANELS = {
    "First steps": "new dev demo invoke publish store load status doctor worker",
    "Calls and data": "enqueue settle list delete object workflow trigger",
    "When something is wrong": "dlq keys unknown spool logs",
    "Operate": "targets isolate restore console backup postgres",
    "Deploy": "package export edge",
    "Others": "app version",
}
"""The commands by what somebody wants to do; one that is not named here is with the others."""

UsageError = cast("type[Exception]", typer.BadParameter.__mro__[1])
"""What a wrong command line raises. Typer exports only this one class below it."""


def is_debugging() -> bool:
    """Return whether everything is to be shown; with ``--no-trust-env`` the variable is not asked.

    The command line may not be parsed yet, or be wrong, so its words are looked at.
    """
    return NO_TRUST_ENV not in sys.argv and bool(os.environ.get(DEBUG))


class Command(TyperCommand):
    """A command whose help is plain where nobody looks at it."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        _choose_help_style(self)
        super().format_help(ctx, formatter)


class Commands(TyperGroup):
    """Commands below one name, with those that other distributions add to them."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        _choose_help_style(self)
        super().format_help(ctx, formatter)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, also of those that are not installed."""
        added = {*SOURCES, *(point.name for point in all_entry_points(ENTRY_POINTS))}
        here = sorted(self._split(name) for name in added if self._split(name))
        return list(dict.fromkeys([*super().list_commands(ctx), *here]))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; one that another distribution has is loaded now."""
        command = super().get_command(ctx, cmd_name)
        return command or added_command(self._path + cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command of the first word; typer suggests others from `commands` alone."""
        if args and self.get_command(ctx, args[0]) is None:
            self.commands.update(
                {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
            )
        return super().resolve_command(ctx, args)

    @property
    def _path(self) -> str:
        """What stands before the names of commands in an entry point."""
        return f"{self.name}."

    def _split(self, name: str) -> str:
        """Return the last word of an entry point's name; empty if it is of another group."""
        group, _, word = name.rpartition(".")
        return word if group == self._path.removesuffix(".") else ""


class CommandGroup(Commands):
    """The commands together: global options anywhere, and errors that say what to do."""

    @property
    def _path(self) -> str:
        return ""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, in the order of `PANELS`."""
        ordered = " ".join(PANELS.values()).split()
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: ordered.index(name) if name in ordered else 99)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command that knows its panel."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            of = (panel for panel, names in PANELS.items() if cmd_name in names.split())
            command.rich_help_panel = next(of, "Others")
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands by panel, each with its whole summary."""
        rows: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            summary = (command.help or "").split("\n\n")[0]
            rows.setdefault(command.rich_help_panel, []).append((name, " ".join(summary.split())))
        for panel, commands in rows.items():
            with formatter.section(panel):
                formatter.write_dl(commands)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the global options."""
        parse = super().parse_args
        return _run_reporting_errors(lambda: parse(ctx, globals_first(args)), json=JSON in args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command, and show the report that it returns."""
        run = super().invoke

        def show_result() -> None:
            result = run(ctx)
            if isinstance(result, Report):
                ctx.obj.output.report(result)

        is_hidden = ctx.params["no_traceback"]
        _run_reporting_errors(show_result, json=ctx.params["json"], tracebacks=not is_hidden)


def add_command(
    group: typer.Typer, name: str, command: Callable[..., Report | None], *examples: str
) -> None:
    """Add a function to a group, with its name and lines for its help; its report is shown."""
    help_text = epilog("Examples", *examples) + (
        "\n\n\b\nBefore or after the command: --targets, --config, --no-trust-env, --json\n"
        "(see leeward --help)."
    )
    group.command(name=name, cls=Command, epilog=help_text)(command)


def epilog(title: str, *lines: str) -> str:
    """Return lines that the help shows as they are: click wraps text without the mark."""
    return "\b\n" + "\n".join([f"{title}:", *(f"  {line}" for line in lines)])


def command_group(about: str = "") -> typer.Typer:
    """Return a group without commands; `about` says what they are for."""
    return typer.Typer(
        cls=Commands, help=about or None, add_completion=False, pretty_exceptions_enable=False
    )


def added_command(path: str) -> Any:
    """Return a command that a distribution adds as `path`; None if leeward knows of none.

    One that cannot be loaded is returned as well: it says why, so that others still show up.
    """
    for points in (entry_points, all_entry_points):
        for point in points(ENTRY_POINTS):
            if point.name == path:
                return _load(path, point)
    if path not in SOURCES:
        return None
    return _absent(path, f"it is not installed: {SOURCES[path]}")


def _load(path: str, point: EntryPoint) -> Any:
    try:
        command = typer.main.get_command(cast("typer.Typer", point.load()))
    except Exception as error:  # noqa: BLE001 - a package may fail in any way when it is loaded
        return _absent(path, f"{point.value} of {point.distribution} does not load: {error!r}")
    command.name = path.rpartition(".")[2]
    return command


def _absent(path: str, why: str) -> Any:
    """Return a command that takes anything, and says why it cannot run."""
    app = typer.Typer(add_completion=False)
    words = path.split(".")

    def stop() -> None:
        raise ConfigError(f"leeward {' '.join(words)} cannot run; {why}")

    settings = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    app.command(name=words[-1], cls=Command, help=f"({why})", context_settings=settings)(stop)
    command = typer.main.get_command(app)
    command.name = words[-1]
    return command


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


def _run_reporting_errors(run: Callable[[], T], *, json: bool, tracebacks: bool = True) -> T:
    """Return what `run` gives; an error is shown, and becomes the exit code of its class."""
    try:
        return run()
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise  # not errors: typer ends the process
    except UsageError as error:
        data, fault = _usage(error), None
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - it is reported
        if is_debugging():
            print_exception(error)
        data, fault = _failure(error), error
    output = Output(json=json, tracebacks=tracebacks)
    output.show_error(data)
    if isinstance(fault, FunctionError):
        output.show_traceback(fault.__cause__)
    raise typer.Exit(data["exit_code"])


def _failure(error: BaseException) -> Json:
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
            return _describe_crash(error)


def _discard_output() -> None:
    """Stop Python from writing what is buffered when it ends: it would fail again."""
    with suppress(OSError, ValueError):  # ValueError: the stream is not a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage(error: Any) -> Json:
    command = error.ctx.command_path if error.ctx is not None else "leeward"
    message = " ".join(error.format_message().split()).removesuffix(".")  # choices are indented
    message = message.replace(": Value error, ", ": ")
    stop = "" if message.endswith("?") else "."
    return json_of_failure("UsageError", f"{message}{stop} See {command} --help.", WRONG)


def _describe_crash(error: BaseException) -> Json:
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
