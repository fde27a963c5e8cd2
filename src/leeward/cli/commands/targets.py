"""``leeward targets``: where calls would go, and with which settings."""

from __future__ import annotations

import os
import platform
from time import sleep, time
from typing import TYPE_CHECKING, Annotated

import typer

from leeward import __version__
from leeward._routing.fleet import Words, in_force, newest, read_copies
from leeward.cli.commands.fleet import snapshot_table
from leeward.cli.global_options import options_of, without_handlers
from leeward.cli.output.console import Printer, Printers, spoken
from leeward.cli.output.json_view import (
    JsonObject,
    json_of_config,
    json_of_origins,
    json_of_target,
    moment,
)
from leeward.cli.output.output import Output
from leeward.config import Config
from leeward.entrypoints import all_entry_points
from leeward.local.config import check_handlers
from leeward.opening import open_order, target_config
from leeward.registry import BUILT_IN, GROUP
from leeward.values import NOTHING, TargetStatus

if TYPE_CHECKING:
    from leeward import Client


WATCH_SECONDS = 2.0
"""Between two looks."""

STYLES = ("cyan",)
"""Styles of the columns of every table: the name stands out."""


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
            words = _isolations(config)
            data["targets"] = [
                _with_handlers(json_of_target(_isolate(each, words)), config)
                for each in cloud.targets()
            ]
            options.output.show(data, _render)
            return
        try:
            while True:
                options.output.show(_look(cloud), _render_look)
                sleep(WATCH_SECONDS)
        except KeyboardInterrupt:
            return


def _isolations(config: Config) -> Words:
    """Return which targets are isolated everywhere, by the table that processes share."""
    if config.snapshot is None:
        return {}
    table, key = snapshot_table(config)
    drivers = {each.target: each for each in open_order(without_handlers(config), os.environ)}
    try:
        return in_force(newest(read_copies(drivers, table, key).values()), time())
    finally:
        for driver in drivers.values():
            driver.close()


def _isolate(status: TargetStatus, words: Words) -> TargetStatus:
    word = words.get(status.name)
    return status if word is None else status._replace(state="isolated", isolation=word)


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


def _look(cloud: Client) -> JsonObject:
    """Probe every target once."""
    probes = [cloud.probe(status.name) for status in cloud.targets()]
    return {"targets": [json_of_target(target) for target in cloud.targets()]} | {
        "probes": [probe._asdict() for probe in probes]
    }


def _render_look(data: JsonObject, printers: Printers) -> None:
    rows = [
        (probe["target"], target["state"], _describe_probe(probe), str(target["waiting"] or 0))
        for target, probe in zip(data["targets"], data["probes"], strict=True)
    ]
    printers.out.table(("target", "circuits", "probe", "waiting"), rows, STYLES)


def _describe_probe(probe: JsonObject) -> str:
    if probe["works"] is None:
        return "its adapter has none"
    took = f"{1000 * probe['seconds']:.0f} ms"
    return f"answers in {took}" if probe["works"] else f"fails after {took} ({probe['code']})"


def _render(data: JsonObject, printers: Printers) -> None:
    out = printers.out
    out.pairs(
        [
            ("order", f"{', '.join(data['order'])} (from {data['order_from']})"),
            ("file", data["config"] or "none"),
            ("environment", "trusted" if data["trust_env"] else "not trusted"),
            *[("unused", f'targets."{name}"') for name in data["unused_sections"]],
            *[
                ("unknown", f'functions."{function["name"]}": {function["remedy"]}')
                for function in data["unknown_functions"]
            ],
        ]
    )
    for number, target in enumerate(data["targets"], 1):
        out.text("")
        with out.panel(f"{number}. {target['name']}", "cyan"):
            out.pairs(_target(target))
    _render_tables(data, out)
    out.text("")
    functions = [(_name(each), _effect(each), *_common(each)) for each in data["functions"]]
    out.table(("function", "effect", "timeout", "own names"), functions, STYLES)
    out.text("")
    buses = [(_name(bus), *_common(bus)) for bus in data["buses"]]
    out.table(("bus", "timeout", "own names"), buses, STYLES)
    _render_buckets(data, out)


def _render_tables(data: JsonObject, out: Printer) -> None:
    out.text("")
    out.table(
        ("table", "key", "home", "timeout", "own names"),
        [
            (
                _name(table),
                " + ".join(table["key"]),
                _home(table["home"], data["order"]),
                *_common(table),
            )
            for table in data["tables"]
        ],
        STYLES,
    )


def _render_buckets(data: JsonObject, out: Printer) -> None:
    out.text("")
    out.table(
        ("bucket", "home", "timeout", "own names"),
        [
            (_name(bucket), _home(bucket["home"], data["order"]), *_common(bucket))
            for bucket in data["buckets"]
        ],
        STYLES,
    )


def _target(target: JsonObject) -> list[tuple[str, str]]:
    seen = "none by this process"
    if target["attempts"]:
        seen = f"{target['attempts']}, {target['failures']} failed, last {target['last_outcome']}"
    return [
        ("can", ", ".join(target["capabilities"])),
        *target["settings"].items(),
        ("attempts", seen),
        ("circuits", _circuits(target)),
        *[("isolated", _isolation(each)) for each in [target["isolation"]] if each],
        *[("residency", target["residency"])] * bool(target["residency"]),
        *[("waiting", f"{target['waiting']} calls for a place")] * bool(target["waiting"]),
    ]


def _isolation(word: JsonObject) -> str:
    end = f"until {moment(word['until'])}" if word["until"] else "until it is restored"
    return f"everywhere, by {word['by']} since {moment(word['since'])}, {end}: {word['why']}"


def _circuits(target: JsonObject) -> str:
    if not target["circuits"]:
        return str(target["state"])
    return ", ".join(
        f"{circuit['verb']} {circuit['resource']}".strip()
        + f": {circuit['state']} ({circuit['reason']})"
        for circuit in target["circuits"]
    )


def _name(named: JsonObject) -> str:
    return str(named["name"] or "(any other)")


def _home(home: str | None, order: list[str]) -> str:
    if home is None:
        return "none: refused until it is set"
    return home if home in order else f"{home}: not in the order"


def _effect(function: JsonObject) -> str:
    shared = function["dedup_scope"] == "group"
    return f"{function['effect']}, shared dedup" if shared else str(function["effect"])


def _common(named: JsonObject) -> tuple[str, str]:
    names = ", ".join(f"{target}: {name}" for target, name in named["names"].items())
    return f"{spoken(named['timeout'])} s", names


def version(context: typer.Context) -> None:
    """Show the version, and the installed adapters."""
    show_version(options_of(context).output)


def show_version(output: Output) -> None:
    """Show the version on `output`."""
    output.show(
        {
            "leeward": __version__,
            "python": platform.python_version(),
            "adapters": sorted({*BUILT_IN, *(point.name for point in all_entry_points(GROUP))}),
        },
        _render_version,
    )


def _render_version(data: JsonObject, printers: Printers) -> None:
    printers.out.text(
        f"leeward {data['leeward']} (Python {data['python']}, "
        f"adapters: {', '.join(data['adapters'])})"
    )
