"""``[deploy]`` of ``leeward.toml``: what packages and infrastructure files say beside the app.

A running program reads nothing of it but the beginning of names. So it is checked here, when files
are written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from leeward.app.app import App
from leeward.config import Config
from leeward.config.model import ConfigKey
from leeward.config.sections import (
    optional,
    read_boolean,
    read_section,
    read_text,
    read_texts,
    refuse_unknown,
    whole_number,
)
from leeward.errors import ConfigError
from leeward.text import did_you_mean
from leeward.values import NOTHING
from leeward.workflow.model import functions_of

KINDS: Final = ("queues", "buses", "tables", "buckets", "workflows")
"""What may be there already, and is only referred to then."""

_read_memory = whole_number(128, 32_768)
_read_runs = whole_number(1, 1000)


class HandlerSettings(NamedTuple):
    """``[deploy.handlers.<name>]``; what is None is that of ``[deploy]``, or of the app.

    Attributes:
        memory: megabytes.
        concurrency: runs at one time.
        publishes: buses.
        calls: functions, and queues of messages.
        reads: tables and buckets.
        writes: tables and buckets that it may write and read.
        starts: workflows.
        role: that is there already: the ARN of a role on AWS, the email of an account on Google.
    """

    memory: int | None = None
    concurrency: int | None = None
    publishes: tuple[str, ...] | None = None
    calls: tuple[str, ...] | None = None
    reads: tuple[str, ...] | None = None
    writes: tuple[str, ...] | None = None
    starts: tuple[str, ...] | None = None
    role: str | None = None

    @property
    def has_rights(self) -> bool:
        """Return whether it says what the handler uses."""
        rights = (self.publishes, self.calls, self.reads, self.writes, self.starts)
        return any(right is not None for right in rights)


class DeploySettings(NamedTuple):
    """``[deploy]``.

    Attributes:
        stage: such as ``prod``; empty for none.
        tags: of everything that takes some.
        memory: megabytes of a function; None for what is usual on the cloud.
        concurrency: runs at one time of each handler of a queue; None for as many as the cloud
            starts.
        limit: runs at one time of each other function; None for as many as the cloud starts.
        log_days: that logs are kept.
        tracing: what runs is traced by the cloud.
        access_logs: of what is open to callers without leeward.
        alarms: are made.
        issuer: of the tokens that callers without leeward show; empty if they sign their requests.
        audience: that a token has to be for.
        existing: kind and logical name of what is there already.
        handlers: by name.
    """

    stage: str = ""
    tags: Mapping[str, str] = NOTHING
    memory: int | None = None
    concurrency: int | None = None
    limit: int | None = None
    log_days: int = 30
    tracing: bool = True
    access_logs: bool = True
    alarms: bool = True
    issuer: str = ""
    audience: tuple[str, ...] = ()
    existing: frozenset[tuple[str, str]] = frozenset()
    handlers: Mapping[str, HandlerSettings] = NOTHING

    def of(self, handler: str) -> HandlerSettings:
        """Return the settings of a handler, where those of all count if it has none."""
        settings = self.handlers.get(handler, HandlerSettings())
        return settings._replace(memory=settings.memory or self.memory)

    def role_of(self, handler: str, *, arn: bool) -> str | None:
        """Return the role that a handler's settings name, if it is an ARN, or else an address."""
        role = self.of(handler).role
        return role if role and role.startswith("arn:") is arn else None

    def is_there(self, kind: str, name: str) -> bool:
        """Return whether something is there already, by its kind and its logical name."""
        return (kind, name) in self.existing


def read_settings(config: Config) -> DeploySettings:
    """Return what a configuration says of packages and infrastructure.

    Raises:
        ConfigError: a value is wrong; the message names the key and the remedy.
    """
    where = ConfigKey(config.file).child("deploy")
    table = config.deploy
    refuse_unknown(table, ("prefix", *DeploySettings._fields), where)
    usual = DeploySettings()
    handlers = read_section(table.get("handlers", {}), where.child("handlers"))
    if ("issuer" in table) != ("audience" in table):
        lacking = "issuer" if "audience" in table else "audience"
        raise ConfigError(
            f"{where} lacks {lacking!r}; the issuer of tokens and whom they are for go together"
        )
    return DeploySettings(
        stage=optional(table, "stage", where, read_text) or "",
        tags=optional(table, "tags", where, _read_tags) or {},
        memory=optional(table, "memory", where, _read_memory),
        concurrency=optional(table, "concurrency", where, _read_runs),
        limit=optional(table, "limit", where, _read_runs),
        log_days=optional(table, "log_days", where, whole_number(1, 3650)) or usual.log_days,
        tracing=optional(table, "tracing", where, read_boolean) is not False,
        access_logs=optional(table, "access_logs", where, read_boolean) is not False,
        alarms=optional(table, "alarms", where, read_boolean) is not False,
        issuer=optional(table, "issuer", where, read_text) or "",
        audience=optional(table, "audience", where, read_texts) or (),
        existing=optional(table, "existing", where, _read_existing) or frozenset(),
        handlers={
            name: _read_handler(handler, where.child("handlers").child(name))
            for name, handler in handlers.items()
        },
    )


def check_settings(settings: DeploySettings, app: App, config: Config) -> None:
    """Check that what settings and the app name is in the app or in its configuration.

    Args:
        settings: that name handlers, and what is there already.
        app: with handlers and workflows, which name functions and buckets.
        config: with functions, tables, buckets, buses and workflows.

    Raises:
        ConfigError: something is not; the nearest one that is, is named.
    """
    handlers = app.handlers.values()
    choices = {
        "queues": {handler.queue or handler.name for handler in handlers},
        "buses": {*config.buses, *(handler.bus for handler in handlers if handler.bus)},
        "tables": {*config.tables},
        "buckets": {*config.buckets, *(handler.bucket for handler in handlers if handler.bucket)},
        "workflows": {*config.workflows, *(flow.name for flow in app.workflows)},
        "functions": {*config.functions, *app.handlers},
    }
    for kind, name in sorted(settings.existing):
        if name not in choices[kind]:
            names = ", ".join(sorted(choices[kind])) or "none"
            hint = did_you_mean(name, choices[kind]) or f"; known: {names}"
            raise ConfigError(
                f"deploy.existing has {kind}.{name}, and neither leeward.toml nor the app declares "
                f"that{hint}"
            )
    for name in settings.handlers:
        if name not in app.handlers:
            hint = did_you_mean(name, app.handlers) or f"; it has {', '.join(app.handlers)}"
            raise ConfigError(f"[deploy.handlers.{name}]: the app has no handler {name!r}{hint}")
    for handler in handlers:
        for place in handler.writes:
            _check_known(f"writes of {handler.name}", "buckets", place.bucket, choices["buckets"])
    for flow in app.workflows:
        for name in functions_of(flow):
            _check_known(f"the workflow {flow.name}", "functions", name, choices["functions"])


def _check_known(where: str, section: str, name: str, names: Collection[str]) -> None:
    if name not in names:
        raise ConfigError(
            f"{where} names {name!r}, which neither the app nor leeward.toml has"
            f"{did_you_mean(name, names) or ';'} if it is elsewhere, add [{section}.{name}]"
        )


def _read_handler(section: Any, where: ConfigKey) -> HandlerSettings:
    table = read_section(section, where)
    refuse_unknown(table, HandlerSettings._fields, where)
    readers: dict[str, Any] = {"memory": _read_memory, "concurrency": _read_runs, "role": read_text}
    return HandlerSettings(
        **{key: optional(table, key, where, readers.get(key, _read_names)) for key in table}
    )


def _read_names(value: Any, where: ConfigKey) -> tuple[str, ...]:
    """Read names; none at all is an answer, too: the handler uses nothing of that kind."""
    return () if value == [] else read_texts(value, where)


def _read_tags(value: Any, where: ConfigKey) -> dict[str, str]:
    return {
        name: read_text(text, where.child(name))
        for name, text in read_section(value, where).items()
    }


def _read_existing(value: Any, where: ConfigKey) -> frozenset[tuple[str, str]]:
    rows = []
    for text in read_texts(value, where):
        kind, _, name = text.partition(".")
        if kind not in KINDS or not name:
            raise ConfigError(
                f"{where} has {text!r}; write what is there already as KIND.NAME, such as "
                f"tables.orders, where the kind is one of {', '.join(KINDS)}"
            )
        rows.append((kind, name))
    return frozenset(rows)
