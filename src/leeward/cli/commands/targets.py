"""``leeward targets``, ``isolate``, ``restore``: where calls would go, and with which settings."""

from __future__ import annotations

import platform
from math import inf
from time import sleep, time
from typing import Annotated

import typer

from leeward import __version__
from leeward._routing.fleet import write_copies
from leeward.cli.arguments import name_of_person
from leeward.cli.global_options import options_of, without_handlers
from leeward.cli.output.exit_codes import LATER
from leeward.cli.output.json_view import JsonObject, json_of_config, json_of_origins
from leeward.config import Config, TableConfig
from leeward.entrypoints import all_entry_points
from leeward.errors import ConfigError, InvalidRequest
from leeward.local.config import check_handlers
from leeward.opening import target_config
from leeward.registry import BUILT_IN, GROUP
from leeward.status import read_isolations
from leeward.values import NOTHING, Isolation
from leeward.views import Report, moment
from leeward.views.targets import isolate as isolate_status
from leeward.views.targets import row_of, show_configuration, show_probes
from leeward.workflow.retry import seconds_of

WATCH_SECONDS = 2.0
"""Between two looks."""

Target = Annotated[str, typer.Argument(metavar="TARGET", help="Its name in the order.")]
Everywhere = Annotated[
    bool,
    typer.Option("--everywhere", help="Needed: this concerns every process with this snapshot."),
]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Default: who is logged in.")]


def targets(
    context: typer.Context,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="Probe the targets every 2 seconds, until Ctrl-C.")
    ] = False,
) -> None:
    """Show the order, the targets and the homes of the tables.

    It opens every target, to find wrong settings. It reads the `snapshot` table, if there is one,
    and sends nothing else, except the probes of --watch. It does not import the functions of an
    embedded target.
    """
    options = options_of(context)
    config = options.resolve()
    for target in config.order:
        if target.provider == "local":
            check_handlers(target_config(target, config, NOTHING))
    data = json_of_origins(options.targets, options.settings(), options.environment())
    data |= json_of_config(config)
    with options.client(without_handlers(config)) as cloud:
        if not watch:
            drivers = cloud._operations.drivers  # noqa: SLF001 - no method has them
            words = read_isolations(config, drivers, time())
            data["targets"] = [
                _with_handlers(row_of(isolate_status(each, words.get(each.name))), config)
                for each in cloud.targets()
            ]
            options.output.report(Report(data, time(), [*show_configuration(data)]))
            return
        try:
            while True:
                probes = [cloud.probe(status.name)._asdict() for status in cloud.targets()]
                look = {"targets": [*map(row_of, cloud.targets())], "probes": probes}
                options.output.report(Report(look, time(), [show_probes(**look)]))
                sleep(WATCH_SECONDS)
        except KeyboardInterrupt:
            return


def _with_handlers(target: JsonObject, config: Config) -> JsonObject:
    """Return a target with what the file names to run there: none of it was imported."""
    name = next(each for each in config.order if str(each) == target["name"])
    if name.provider != "local":
        return target
    options = target_config(name, config, NOTHING).options
    named: dict[str, str] = {
        each: str(len(options.get(each, ()))) for each in ("functions", "subscriptions")
    }
    app = options.get("app")
    if app is not None:
        theirs = "those of the app"
        named = {each: theirs if n == "0" else f"{n}, and {theirs}" for each, n in named.items()}
        named["app"] = f"{app} (not imported here)"
    return {**target, "settings": {**target["settings"], **named}}


def isolate(
    context: typer.Context,
    target: Target,
    *,
    everywhere: Everywhere = False,
    why: Annotated[
        str, typer.Option(metavar="TEXT", help="The reason, for people who look later.")
    ],
    lasting: Annotated[
        str, typer.Option("--for", metavar="TIME", help="Such as 30m or 4h; `ever` has no end.")
    ] = "4h",
    by: By = None,
) -> None:
    """Send no call of any process to a target, until the time is over or it is restored.

    Processes that have the same `snapshot` table see it within 15 seconds. leeward.toml names the
    table; each target keeps a copy, and one copy is enough.
    """
    length = inf if lasting == "ever" else float(seconds_of(lasting, "--for"))
    now = time()
    word = Isolation(target, name_of_person(by), why, now, now + length)
    _say(context, word, everywhere=everywhere)


def restore(
    context: typer.Context,
    target: Target,
    *,
    everywhere: Everywhere = False,
    why: Annotated[
        str, typer.Option(metavar="TEXT", help="The reason, for people who look later.")
    ] = "",
    by: By = None,
) -> None:
    """End an isolation: the target gets a share of the calls first, then all."""
    now = time()
    word = Isolation(target, name_of_person(by), why, now, now, over=True)
    _say(context, word, everywhere=everywhere)


def _say(context: typer.Context, word: Isolation, *, everywhere: bool) -> None:
    options = options_of(context)
    config = options.resolve()
    table, key = snapshot_table(config)
    if not everywhere:
        raise InvalidRequest(
            "this concerns every process, and not this one alone; say --everywhere. A program "
            "isolates a target for itself by client.isolate(target)",
            field="everywhere",
        )
    known = [str(each) for each in config.order]
    if word.target not in known:
        raise InvalidRequest(
            f"no target {word.target!r} in the order; it has {', '.join(known)}", field="target"
        )
    with options.client(without_handlers(config)) as cloud:
        drivers = cloud._operations.drivers  # noqa: SLF001 - no method has them
        flaws = write_copies(drivers, table, key, word)
    copies = {name: None if flaw is None else type(flaw).__name__ for name, flaw in flaws.items()}
    data: JsonObject = {
        "target": word.target,
        "isolated": not word.over,
        "by": word.by,
        "until": None if word.over or word.until == inf else word.until,
        "copies": copies,
    }
    flawed = ", ".join(f"{name}: {flaw}" for name, flaw in copies.items() if flaw)
    if all(copies.values()):
        told = f"Nothing was said: no copy could be written ({flawed})."
        options.output.report(Report(data, notes=[told]))
        raise typer.Exit(LATER.code)
    end = f" until {moment(data['until'])}" if data["until"] else ""
    done = f"{word.target} is {'restored' if word.over else 'isolated'}{end}"
    notes = [f"These copies could not be written: {flawed}."] if flawed else []
    options.output.report(Report(data, 0.0, [f"{done}, everywhere within 15 seconds."], notes))


def snapshot_table(config: Config) -> tuple[str, str]:
    """Return the table that processes share, and the field of its key.

    Raises:
        ConfigError: none is configured.
    """
    if config.snapshot is None:
        raise ConfigError(
            'processes share no table; name one in leeward.toml: snapshot = "leeward-health"'
        )
    known = config.tables.get(config.snapshot) or TableConfig()
    return config.snapshot, known.key[0]


def version(context: typer.Context) -> None:
    """Show the version, and the installed adapters."""
    adapters = sorted({*BUILT_IN, *(point.name for point in all_entry_points(GROUP))})
    data = {"leeward": __version__, "python": platform.python_version(), "adapters": adapters}
    told = f"(Python {data['python']}, adapters: {', '.join(adapters)})"
    options_of(context).output.report(Report(data, parts=[f"leeward {__version__} {told}"]))
