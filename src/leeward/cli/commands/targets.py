"""``leeward targets``, ``isolate``, ``restore``: where calls would go, and with which settings."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from math import inf
from time import time
from typing import Annotated, Any

import typer

from leeward import __version__
from leeward._operations.events import EVENT_TIMEOUT
from leeward._operations.functions import INVOKE_TIMEOUT
from leeward._operations.objects import OBJECT_TIMEOUT
from leeward._operations.operations import DATA_TIMEOUT
from leeward._routing.fleet import write_copies
from leeward.cli.arguments import argument, flag, name_of_person, option
from leeward.cli.findings import home_of
from leeward.cli.global_options import options_of, without_handlers
from leeward.cli.output.exit_codes import LATER
from leeward.config import BucketConfig, BusConfig, Config, FunctionConfig, GroupConfig, TableConfig
from leeward.config.load import unused_sections
from leeward.config.model import groups_of
from leeward.entrypoints import all_entry_points
from leeward.errors import ConfigError, InvalidRequest
from leeward.local.config import check_handlers
from leeward.opening import target_config
from leeward.registry import BUILT_IN, GROUP
from leeward.status import read_isolations
from leeward.values import NOTHING, Effect, Isolation
from leeward.views import Json, Report, moment
from leeward.views.targets import isolate as isolate_status
from leeward.views.targets import row_of, show_configuration
from leeward.workflow.retry import seconds_of

Target = Annotated[str, argument("Its name in the order.", "TARGET")]
Everywhere = Annotated[
    bool, flag("--everywhere", "Needed: this concerns every process with this snapshot.")
]
By = Annotated[str | None, option("Default: who is logged in.", "NAME")]


def targets(context: typer.Context) -> Report:
    """Show the order, the targets and the homes of the tables.

    It opens every target, to find wrong settings. It reads the `snapshot` table, if there is one,
    and sends nothing else. It does not import the functions of an embedded target.
    """
    options = options_of(context)
    config = options.resolve()
    for target in config.order:
        if target.provider == "local":
            check_handlers(target_config(target, config, NOTHING))
    data = json_of_origins(options.targets, options.settings(), options.environment())
    data |= json_of_config(config)
    with options.client(without_handlers(config)) as cloud:
        drivers = cloud._operations.drivers  # noqa: SLF001 - no method has them
        words = read_isolations(config, drivers, time())
        data["targets"] = [
            _with_handlers(row_of(isolate_status(status, words.get(status.name))), config)
            for status in cloud.targets()
        ]
    return Report(data, time(), [*show_configuration(data)])


def _with_handlers(target: Json, config: Config) -> Json:
    """Return a target with what the file names to run there: none of it was imported."""
    name = next(name for name in config.order if str(name) == target["name"])
    if name.provider != "local":
        return target
    options = target_config(name, config, NOTHING).options
    named: dict[str, str] = {
        section: str(len(options.get(section, ()))) for section in ("functions", "subscriptions")
    }
    app = options.get("app")
    if app is not None:
        theirs = "those of the app"
        named = {kind: theirs if n == "0" else f"{n}, and {theirs}" for kind, n in named.items()}
        named["app"] = f"{app} (not imported here)"
    return {**target, "settings": {**target["settings"], **named}}


def isolate(
    context: typer.Context,
    target: Target,
    *,
    everywhere: Everywhere = False,
    why: Annotated[str, option("The reason, for people who look later.", "TEXT")],
    lasting: Annotated[
        str, option("Such as 30m or 4h; `ever` has no end.", "TIME", "--for")
    ] = "4h",
    by: By = None,
) -> Report:
    """Send no call of any process to a target, until the time is over or it is restored.

    Processes that have the same `snapshot` table see it within 15 seconds. leeward.toml names the
    table; each target keeps a copy, and one copy is enough.
    """
    length = inf if lasting == "ever" else float(seconds_of(lasting, "--for"))
    now = time()
    word = Isolation(target, name_of_person(by), why, now, now + length)
    return _say(context, word, everywhere=everywhere)


def restore(
    context: typer.Context,
    target: Target,
    *,
    everywhere: Everywhere = False,
    why: Annotated[str, option("The reason, for people who look later.", "TEXT")] = "",
    by: By = None,
) -> Report:
    """End an isolation: the target gets a share of the calls first, then all."""
    now = time()
    word = Isolation(target, name_of_person(by), why, now, now, over=True)
    return _say(context, word, everywhere=everywhere)


def _say(context: typer.Context, word: Isolation, *, everywhere: bool) -> Report:
    options = options_of(context)
    config = options.resolve()
    table, key = snapshot_table(config)
    if not everywhere:
        raise InvalidRequest(
            "this concerns every process, and not this one alone; say --everywhere. A program "
            "isolates a target for itself by client.isolate(target)",
            field="everywhere",
        )
    names = [str(names) for names in config.order]
    if word.target not in names:
        raise InvalidRequest(
            f"no target {word.target!r} in the order; it has {', '.join(names)}", field="target"
        )
    with options.client(without_handlers(config)) as cloud:
        drivers = cloud._operations.drivers  # noqa: SLF001 - no method has them
        flaws = write_copies(drivers, table, key, word)
    copies = {name: None if flaw is None else type(flaw).__name__ for name, flaw in flaws.items()}
    data: Json = {
        "target": word.target,
        "isolated": not word.over,
        "by": word.by,
        "until": None if word.over or word.until == inf else word.until,
        "copies": copies,
    }
    flawed = ", ".join(f"{name}: {flaw}" for name, flaw in copies.items() if flaw)
    if all(copies.values()):
        text = f"Nothing was said: no copy could be written ({flawed})."
        return Report(data, notes=[text], exit_code=LATER.code)
    end = f" until {moment(data['until'])}" if data["until"] else ""
    done = f"{word.target} is {'restored' if word.over else 'isolated'}{end}"
    notes = [f"These copies could not be written: {flawed}."] if flawed else []
    return Report(data, 0.0, [f"{done}, everywhere within 15 seconds."], notes)


def snapshot_table(config: Config) -> tuple[str, str]:
    """Return the table that processes share, and the field of its key."""
    if config.snapshot is None:
        raise ConfigError(
            'processes share no table; name one in leeward.toml: snapshot = "leeward-health"'
        )
    table = config.tables.get(config.snapshot) or TableConfig()
    return config.snapshot, table.key[0]


def show_version() -> Report:
    """Show the version, and the installed adapters."""
    adapters = sorted({*BUILT_IN, *(point.name for point in all_entry_points(GROUP))})
    data = {"leeward": __version__, "python": platform.python_version(), "adapters": adapters}
    told = f"(Python {data['python']}, adapters: {', '.join(adapters)})"
    return Report(data, parts=[f"leeward {__version__} {told}"])


def json_of_config(config: Config) -> Json:
    """Return the JSON object of a configuration; no name stands for whatever is not configured."""

    def rows(known: Mapping[str, Any], default: Any, read: Callable[[Any], Json]) -> list[Any]:
        named = [*known.items(), (None, default)]
        return [{"name": name, **read(each), "names": dict(each.names)} for name, each in named]

    def table(each: TableConfig) -> Json:
        timeout = each.timeout or DATA_TIMEOUT
        return {"key": list(each.key), "home": home_of(config, each.home), "timeout": timeout}

    def function(each: FunctionConfig) -> Json:
        return {
            "effect": (each.effect or Effect.UNSAFE).value,
            "dedup_scope": "group" if each.shared_dedup else "target",
            "timeout": each.timeout or INVOKE_TIMEOUT,
            "queue": each.queue,
        }

    def bus(each: BusConfig) -> Json:
        timeout = each.timeout or EVENT_TIMEOUT
        return {"timeout": timeout, "on_all_down": each.on_all_down or "raise"}

    def bucket(each: BucketConfig) -> Json:
        return {"home": home_of(config, each.home), "timeout": each.timeout or OBJECT_TIMEOUT}

    return {
        "order": [str(target) for target in config.order],
        "trust_env": config.trust_env,
        "source": config.source,
        "tables": rows(config.tables, TableConfig(), table),
        "functions": rows(config.functions, FunctionConfig(), function),
        "buses": rows(config.buses, BusConfig(), bus),
        "buckets": rows(config.buckets, BucketConfig(), bucket),
        "groups": [_group(name, each, config) for name, each in config.groups.items()],
        "fail_back": config.fail_back,
        "hedge": config.hedge,
        "unused_sections": unused_sections(config),
    }


def json_of_origins(targets: str | None, settings: Config, env: Mapping[str, str]) -> Json:
    """Return which file is read, and where the order comes from."""
    order_from = "file" if settings.order else "default"
    if env.get("CLOUD_PROVIDER"):
        order_from = "CLOUD_PROVIDER"
    if targets is not None:
        order_from = "--targets"
    return {"order_from": order_from, "config": settings.file}


def _group(name: str, group: GroupConfig, config: Config) -> Json:
    order = tuple(str(target) for target in config.order)
    made = next(iter(groups_of(config._replace(groups={name: group}), order).values()))
    return {
        "name": name,
        "functions": list(group.functions),
        "buses": list(group.buses),
        "targets": list(made.targets),
        "residency": list(group.residency),
        "fail_back": made.fail_back,
    }
