"""What each handler uses: as ``leeward.toml`` declares it, else as its code shows it.

Where the code does not show a name, the handler may use everything of that kind that the file
names, and a note says where. Nothing is left out in silence, and nothing is allowed in silence.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Final, NamedTuple

from leeward.app.app import App
from leeward.config import Config
from leeward.errors import ConfigError
from leeward.text import did_you_mean
from leeward_deploy.recipe import Rights, everything
from leeward_deploy.settings import DeploySettings, HandlerSettings
from leeward_deploy.uses import SECTIONS, AppCode, Uses, read_modules

_WORDS: Final = {"gets": "reads"} | dict.fromkeys(
    ("stores", "removes", "puts", "deletes"), "writes"
)
"""The key of ``[deploy.handlers.<name>]`` where it is not the name of the right."""


class Learnt(NamedTuple):
    """What the handlers use, by their names, what is to be said of it, and what they share."""

    rights: Mapping[str, Rights]
    notes: tuple[str, ...]
    warm: Rights


def rights_of(
    app: App, config: Config, settings: DeploySettings, modules: Mapping[str, str], entry: str = ""
) -> Learnt:
    """Return what each handler of an app uses.

    Args:
        app: with the handlers.
        config: names what there is.
        settings: may declare what a handler uses; that counts, and its code does not.
        modules: the texts of the app's own modules, by name.
        entry: the module that has the app.

    Raises:
        ConfigError: settings declare that a handler uses what nothing names.
    """
    functions = {name: inspect.unwrap(handler.function) for name, handler in app.handlers.items()}
    first = {entry, *(function.__module__ for function in functions.values())}
    code = AppCode(
        read_modules(modules, first),
        {function.__name__: name for name, function in functions.items()},
    )
    always = frozenset(table for table in (config.snapshot, config.unknowns) if table)
    rights, notes = {}, []
    for name, handler in app.handlers.items():
        declaration = settings.of(name)
        if declaration.has_rights:
            grant = _read_declaration(declaration, config)
        elif handler.uses:
            grant = _read_library(handler.uses)
        else:
            uses = Uses(code, handler)
            uses.look()
            grant, more = _read_code(uses, config, name)
            notes += more
        unknown, more = _without_unknown(grant, config, app, name, declared=declaration.has_rights)
        notes += more
        rights[name] = unknown._replace(writes=unknown.writes | always)
    shared = Uses(code, None)
    shared.look()
    warm, more = _read_code(shared, config, "")
    notes += more
    return Learnt(rights, (*dict.fromkeys(notes),), _without_unknown(warm, config, app, "")[0])


def _read_declaration(declaration: HandlerSettings, config: Config) -> Rights:
    """Return what a handler is said to use; a name may be that of a table and of a bucket."""
    buckets = frozenset(config.buckets)
    alone = buckets - config.tables.keys()
    reads, writes = frozenset(declaration.reads or ()), frozenset(declaration.writes or ())
    return Rights(
        publishes=frozenset(declaration.publishes or ()),
        calls=frozenset(declaration.calls or ()),
        reads=reads - alone,
        writes=writes - alone,
        gets=reads & buckets,
        puts=writes & buckets,
        starts=frozenset(declaration.starts or ()),
        deletes=writes & buckets,
    )


def _read_library(uses: Mapping[str, str]) -> Rights:
    """Return what a handler of a library uses, as that says; what it scans it may read."""
    return Rights(
        **{{"scans": "reads"}.get(right, right): frozenset({name}) for right, name in uses.items()}
    )


def _read_code(uses: Uses, config: Config, name: str) -> tuple[Rights, list[str]]:
    """Return what the code of a handler shows; and for the rest, all that is named, with a note.

    Without a name it is the code that all handlers share.
    """
    all_of, notes, who = everything(config), [], name or "what handlers share"
    rights = {right: frozenset(names) for right, names in uses.names.items()}
    for right, where in uses.unknown.items():
        had, whole = rights.get(right, frozenset()), getattr(all_of, right)
        if whole - had:
            key = _WORDS.get(right, right)
            remedy = f"; name what it uses as {key} in [deploy.handlers.{name}]" if name else ""
            notes.append(
                f"{who}: {where}, so it may use all {len(whole)} of [{SECTIONS[right]}]{remedy}"
            )
        rights[right] = had | whole
    notes += (f"{who}: {note}" for note in uses.notes)
    return Rights(**rights), notes


def _without_unknown(
    rights: Rights, config: Config, app: App, name: str, *, declared: bool = False
) -> tuple[Rights, list[str]]:
    """Return rights without what nothing names, and what is to be said of that.

    Raises:
        ConfigError: they are `declared`, and name what nothing else does.
    """
    callees = {*app.handlers, *(h.queue for h in app.handlers.values() if h.queue)}
    notes: list[str] = []
    result: dict[str, frozenset[str]] = {}
    for right, names in rights._asdict().items():
        section = SECTIONS[right]
        choices = {*getattr(config, section)} | (callees if right == "calls" else set())
        if right == "starts":
            choices |= {flow.name for flow in app.workflows}
        result[right] = names & choices
        for missing in sorted(names - choices):
            lacks = f"{missing!r}; leeward.toml has no [{section}.{missing}]"
            if declared:
                if section == "tables":  # what is read or written may be a bucket as well
                    lacks, choices = (
                        f"{lacks} or [buckets.{missing}]",
                        choices | config.buckets.keys(),
                    )
                near = did_you_mean(missing, choices) or "; add it"
                raise ConfigError(f"[deploy.handlers.{name}] names {lacks}{near}")
            near = did_you_mean(missing, choices)
            notes.append(f"{name} uses {lacks}, so no role allows that{near}")
    return Rights(**result), list(dict.fromkeys(notes))
