"""``leeward worker``: run an app for a target that keeps rows, until somebody ends it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated

import typer

from leeward.app.app import App
from leeward.app.triggers import LogStyle
from leeward.cli.arguments import argument, flag, option, seconds, texts_argument
from leeward.cli.global_options import modules_beside, named_app, options_of
from leeward.cli.output.exit_codes import RAISED
from leeward.errors import InvalidRequest
from leeward.worker import Worker

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def worker(
    context: typer.Context,
    app: Annotated[str | None, argument("Default: as leeward.toml names it.", "MODULE:APP")] = None,
    *,
    target: Annotated[
        str | None, option("Default: the first of the order that keeps rows.", "NAME")
    ] = None,
    queue: Annotated[
        list[str] | None,
        option("Attempts at one time, for a queue, function or bus; repeatable.", "NAME=N"),
    ] = None,
    limit: Annotated[
        list[str] | None,
        option("A further limit, for a handler, or of [worker.limits]; repeatable.", "NAME=N"),
    ] = None,
    concurrency: Annotated[
        int | None, option("Attempts at one time, of all other handlers together.", "N")
    ] = None,
    drain: Annotated[
        float | None, option("To let attempts end in. Default: 25.", "SECONDS", parser=seconds)
    ] = None,
    health: Annotated[
        str | None, option("PORT or HOST:PORT: answers whether it works.", "ADDRESS")
    ] = None,
    http: Annotated[
        str | None, option("HOST:PORT: serve the functions of the app, too.", "ADDRESS")
    ] = None,
    once: Annotated[bool, flag("--once", "End when nothing is due any more.")] = False,
) -> None:
    """Run an app: its messages, queued calls, events, schedules and workflow runs.

    Any number of workers share the work of one target, such as postgres. SIGTERM lets attempts end,
    and hands back the rest; a second one ends it at once. With --json, logs are lines of JSON.
    """
    options = options_of(context)
    config = options.resolve()
    with modules_beside(config, is_named=app is not None):
        given = named_app(app, config, options.environment(), "worker", target=target).load()
        _write_logs(given, as_json=options.output.is_for_programs)
        process = Worker(
            given,
            config=config,
            target=target,
            concurrency=concurrency,
            queues=_numbers(queue, "queue"),
            limits=_numbers(limit, "limit"),
            drain=drain,
            health=health,
            http=http,
        )
        if process.run(once=once) and once:
            raise typer.Exit(RAISED.code)


def _write_logs(app: App, *, as_json: bool) -> None:
    """Write the logs of the process as lines: JSON, or text for people."""
    logging.getLogger("leeward").handlers.clear()  # the root logger has them all
    if as_json or app.json_logs:
        app.write_json_logs(LogStyle())
    else:
        logging.basicConfig(level=logging.INFO, format=FORMAT)


def _numbers(words: Sequence[str] | None, field: str) -> dict[str, int]:
    """Read numbers with names, each a word ``name=number``."""
    texts = texts_argument(words or (), field, "NAME=4")
    for name, text in texts.items():
        if not text.isascii() or not text.isdigit():
            raise InvalidRequest(
                f"--{field} {name}={text} must end in a whole number; write --{field} {name}=4",
                field=field,
            )
    return {name: int(text) for name, text in texts.items()}
