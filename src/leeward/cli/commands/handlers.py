"""``leeward app`` and ``leeward trigger``: the handlers of an app, and one run by hand."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, Final

import typer

from leeward.app.answers import Answer, HandlerFailure, InvalidInput
from leeward.app.app import App
from leeward.app.by_hand import find_handler, run_by_hand
from leeward.app.handlers import Handler
from leeward.app.triggers import Kind, Platform
from leeward.cli.arguments import argument, json_argument, option
from leeward.cli.global_options import (
    GlobalOptions,
    leave_to_workers,
    modules_beside,
    named_app,
    options_of,
)
from leeward.cli.output.exit_codes import RAISED, exit_code_of, json_of_failure
from leeward.client import Client
from leeward.clock import SystemClock
from leeward.config import Config
from leeward.errors import OutcomeUnknown
from leeward.json_text import decode, encode
from leeward.logs import failure_facts, places_of
from leeward.views import Block, Report
from leeward.views.targets import row_of_handler
from leeward.views.targets import show_app as list_handlers
from leeward.worker.opening import open_drivers
from leeward.workflow.model import functions_of

FORMAT: Final = "%(levelname)s %(name)s %(message)s"

Spec = Annotated[str | None, argument("Default: as leeward.toml names it.", "MODULE:APP")]


def show_app(context: typer.Context, app: Spec = None) -> Report:
    """Show the handlers of an app: what each is for, and what it declares; its workflows.

    The app is imported, and nothing of it runs.
    """
    options = options_of(context)
    with _import_app(options, app, "app") as (given, _):
        given.check()
        here = f"{Path.cwd()}{os.sep}"
        handlers = [row_of_handler(handler, here) for handler in given.handlers.values()]
        workflows = [
            {"name": workflow.name, "functions": sorted({*functions_of(workflow)})}
            for workflow in given.workflows
        ]
        return list_handlers(given.name, handlers, workflows)


def trigger(
    context: typer.Context,
    name: Annotated[str, argument("Its name; see `leeward app`.", "HANDLER")],
    document: Annotated[
        str | None, argument("JSON, @file, or - for the standard input.", "INPUT")
    ] = None,
    *,
    app: Annotated[str | None, option("Default: as leeward.toml names it.", "MODULE:APP")] = None,
    key: Annotated[str, option("Default: a new one.", "TEXT", "--idempotency-key")] = "",
) -> Report:
    """Run one handler once, here, and show its answer; its calls go to the configured targets.

    INPUT is the payload of a function, the body of a message, an event as CloudEvents has it or its
    data alone, the time of a schedule (default: now), or an object as {"key": NAME}. A run that
    fails is not repeated.
    """
    options = options_of(context)
    given = b"" if document is None else encode(json_argument(document, "input"))
    with _import_app(options, app, "trigger --app") as (given_app, config):
        handler = find_handler(given_app, name)
        if not options.output.is_for_programs:
            logging.getLogger("leeward").handlers.clear()  # the root logger has them all
            logging.basicConfig(level=logging.INFO, format=FORMAT)
        drivers = open_drivers(None, config)
        limit = drivers[0].limits.payload_bytes
        platform = Platform(config.order[0].provider, None, SystemClock(), limit)
        with Client(drivers, config=config, app=given_app):
            leave_to_workers(drivers)
            began = perf_counter()
            answer = run_by_hand(given_app, name, given, platform, idempotency_key=key)
            seconds = perf_counter() - began
    if answer.failure is not None:
        _fail(options, handler, answer.failure)
    return _show_answer(handler, answer, seconds)


@contextmanager
def _import_app(
    options: GlobalOptions, spec: str | None, command: str
) -> Iterator[tuple[App, Config]]:
    """Import the app that is named, for a moment; what it prints is not a result."""
    config = options.resolve()
    with redirect_stdout(sys.stderr), modules_beside(config, is_named=spec is not None):
        yield named_app(spec, config, options.environment(), command).load(), config


def _show_answer(handler: Handler, answer: Answer, seconds: float) -> Report:
    value, kind = decode(answer.body), handler.kind
    data = {"handler": handler.name, "kind": kind.value, "value": value}
    shown = [Block("Answer", encode(value).decode(), is_json=True)] if kind is Kind.CALL else []
    sentence = f"the {kind.value} handler {handler.name} has run, in {seconds * 1000:.0f} ms"
    return Report(data | {"seconds": round(seconds, 6)}, 0.0, shown, [sentence])


def _fail(options: GlobalOptions, handler: Handler, failure: HandlerFailure) -> None:
    """Show what a handler has raised; its traceback comes last, where a person looks at it.

    Raises:
        typer.Exit: always, but for Ctrl-C.
        KeyboardInterrupt: Ctrl-C has ended it.
    """
    cause = failure.cause
    if isinstance(cause, KeyboardInterrupt):
        raise cause
    end = exit_code_of(cause) if isinstance(cause, OutcomeUnknown) else RAISED
    frames: list[str] = []
    facts: dict[str, Any] = {}
    if cause is not None and not isinstance(cause, InvalidInput):
        frames, facts = places_of(cause), failure_facts(cause)
    text = failure.message or facts.get("text")
    does = "refuses its input" if isinstance(cause, InvalidInput) else f"raised {failure.type}"
    message = f"the {handler.kind.value} handler {handler.name!r} {does}"
    data = json_of_failure(failure.type, f"{message}: {text}" if text else message, end)
    data |= {
        "handler": handler.name,
        "reason": failure.reason,
        "retryable": failure.retryable,
        "may_have_run": {"yes": True, "no": False}.get(failure.ran),
        "trace": [frame.removeprefix(f"{Path.cwd()}{os.sep}") for frame in frames],
    }
    if "causes" in facts:
        data["causes"] = facts["causes"]
    options.output.show_error(data)
    if frames:
        options.output.show_traceback(cause)
    raise typer.Exit(end.code)
