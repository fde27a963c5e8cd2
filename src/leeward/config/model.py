"""The configuration as immutable values: orders, groups, and where data may be.

An order is ``provider[:qualifier]``, separated by commas.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any, TypeAlias, TypeVar

from leeward._routing.targets import TargetGroup
from leeward.errors import ConfigError
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.text import is_printable
from leeward.values import NOTHING, Effect

ALIASES = {"gcp": "google"}

_TARGET = r"(?P<provider>[A-Za-z][A-Za-z0-9_-]*)(:(?P<qualifier>[A-Za-z0-9._-]+))?"


class TargetName(NamedTuple):
    """One target of an order."""

    provider: str
    qualifier: str | None = None

    def __str__(self) -> str:
        """Write it as in an order: ``aws:us-east-1``."""
        return self.provider if self.qualifier is None else f"{self.provider}:{self.qualifier}"


def parse_order(text: str, where: str) -> tuple[TargetName, ...]:
    """Read an order such as ``aws:us-east-1,aws:us-west-2,google``.

    `where` names the variable, key or argument that it stands in, for the message of the
    `ConfigError` that a wrong one raises.
    """
    order = tuple(_parse_target(part.strip(), text, where) for part in text.split(","))
    twice = next((target for target in order if order.count(target) > 1), None)
    if twice is not None:
        raise ConfigError(f"{where} names {str(twice)!r} twice in {text!r}; name each target once")
    return order


def parse_target(text: str, where: str) -> TargetName:
    """Read the name of one target."""
    return _parse_target(text.strip(), text, where)


def _parse_target(part: str, text: str, where: str) -> TargetName:
    match = re.fullmatch(_TARGET, part)
    if match is None:
        problem = f"has an empty entry in {text!r}" if not part else f"cannot read {part!r}"
        raise ConfigError(
            f"{where} {problem}; write provider or provider:qualifier, separated by commas, "
            "such as 'local' or 'local:a,local:b'"
        )
    provider = match["provider"].lower()
    return TargetName(ALIASES.get(provider, provider), match["qualifier"])


_PART = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"

_LONGEST_PART = 24  # characters of the prefix, and of the stage


def prefix_of(deploy: Mapping[str, Any], where: str) -> str:
    """Return the beginning of names on targets that have stages: ``shop-prod-``.

    Raises:
        ConfigError: one of them is not what every cloud takes in a name.
    """
    parts = {key: deploy[key] for key in ("prefix", "stage") if key in deploy}
    for key, text in parts.items():
        short = isinstance(text, str) and len(text) <= _LONGEST_PART
        if not short or not re.fullmatch(_PART, text):
            raise ConfigError(
                f"{where}: {key} must be up to {_LONGEST_PART} lower-case letters, digits and "
                "single hyphens, and begin with a letter"
            )
    return "".join(f"{text}-" for text in parts.values())


Names: TypeAlias = Mapping[str, str]
"""Name of a target or provider to that target's own name of a resource."""


class FunctionConfig(NamedTuple):
    """``[functions.<name>]``.

    Attributes:
        effect: what repeating a call would do; None for the app's declaration, else ``unsafe``.
        shared_dedup: one store deduplicates for every target (``dedup_scope = "group"``), or for
            these targets and providers; None for the app's declaration, else for one target.
        timeout: seconds that the function itself may run for, and the default deadline of a call.
        names: its own names on targets, if they differ from the logical name.
        marks: it marks each of its answers: on every target, or on these targets and providers.
        queue: it is a queue with a handler of messages, and not a function; None if not
            configured.
        on_unknown: ``settle`` or ``raise``: what becomes of a call whose outcome is unknown; None
            for the app's declaration, else ``raise``.
        probe: a function that only reads, and says what became of a call of this one.
    """

    effect: Effect | None = None
    shared_dedup: bool | tuple[str, ...] | None = None
    timeout: float | None = None
    names: Names = NOTHING
    marks: bool | tuple[str, ...] = False
    queue: bool | None = None
    on_unknown: str | None = None
    probe: str | None = None

    def marks_at(self, target: TargetName) -> bool:
        """Return whether it is said to mark its answers on `target`."""
        marks = self.marks
        if isinstance(marks, bool):
            return marks
        return str(target) in marks or target.provider in marks


class BusConfig(NamedTuple):
    """``[buses.<name>]``.

    Attributes:
        timeout: the default deadline of a call, in seconds.
        names: its own names on targets, where they differ from the logical name.
        on_all_down: ``spool`` or ``raise``: what becomes of an event that no target takes; None for
            ``raise``.
    """

    timeout: float | None = None
    names: Names = NOTHING
    on_all_down: str | None = None


class SpoolConfig(NamedTuple):
    """``[spool]``: where events wait until a target takes them, and how many may.

    Attributes:
        path: of the file; None for ``.leeward/spool.sqlite3`` below the working directory.
        target: whose database keeps them; None for the file.
        volume: the file is on a disk that outlives the function or the container.
        max_events: how many may be in the spool, those that were given up included.
        max_bytes: how many bytes of JSON they may have.
        max_age: seconds after which an event is given up instead of published.
    """

    path: str | None = None
    target: str | None = None
    volume: bool = False
    max_events: int = 100_000
    max_bytes: int = 256 * 1024 * 1024
    max_age: float = 7 * 86_400.0


class TableConfig(NamedTuple):
    """``[tables.<name>]``.

    Attributes:
        key: the fields of its key: one, or a partition and a sort field.
        home: the target that owns the table.
        timeout: the default deadline of a call, in seconds.
        names: its own names on targets, where they differ from the logical name.
        residency: where its home has to be, one of these; empty for anywhere.
    """

    key: tuple[str, ...] = ("id",)
    home: str | None = None
    timeout: float | None = None
    names: Names = NOTHING
    residency: tuple[str, ...] = ()


class GroupConfig(NamedTuple):
    """``[groups.<name>]``: targets that are equivalent for some functions and buses.

    Attributes:
        functions: logical names.
        buses: logical names.
        targets: in order of preference; empty for the whole order.
        residency: where a target has to be, one of these; empty for anywhere.
        weights: target to the percentage of the calls that it is asked for first.
        fail_back: as in `Config`, for this group; None for the same.
    """

    functions: tuple[str, ...] = ()
    buses: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    residency: tuple[str, ...] = ()
    weights: Mapping[str, float] = NOTHING
    fail_back: str | None = None


class HealthChecks(NamedTuple):
    """``[health_checks]``: every target is probed, whether or not calls go there.

    Attributes:
        interval: seconds between two probes of a target.
        failures: failed probes in a row before the target is ill.
        recoveries: successful probes in a row before calls return.
    """

    interval: float = 30.0
    failures: int = 3
    recoveries: int = 3


class WorkflowConfig(NamedTuple):
    """``[workflows.<name>]``.

    Attributes:
        definition: ``module:flow``, or a file of YAML or JSON beside the ``.toml``; None for one
            that is given in Python.
        names: its names on the clouds where it is deployed, if they differ.
    """

    definition: str | None
    names: Names = NOTHING


class BucketConfig(NamedTuple):
    """``[buckets.<name>]``: home, default deadline in seconds of a request, and own names."""

    home: str | None = None
    timeout: float | None = None
    names: Names = NOTHING


class LimitConfig(NamedTuple):
    """``[worker.limits]``: attempts of some handlers together, at one time; and their names.

    Without names the limit is of the handler of its own name.
    """

    most: int
    handlers: tuple[str, ...] = ()


@show_only("app target concurrency queues limits drain health http")
class WorkerConfig(NamedTuple):
    """``[worker]``: what ``leeward worker`` runs, and how much at one time.

    Attributes:
        app: ``module:app``; None for the app of the target, or of the command line.
        target: that it works for; None for the first of the order that keeps rows for workers.
        concurrency: attempts at one time, in each process, of all handlers whose queue is not in
            `queues`; None for what the target says.
        queues: the same for each queue by itself; the name of a bus is for all of its subscribers.
        limits: further limits, over handlers.
        drain: seconds that attempts have to end in, once the worker has been asked to end.
        health: the address at which it says how it is; None for none.
        http: the address at which it serves the functions of the app; None for none.
        token: that callers there have to send.
    """

    app: str | None = None
    target: str | None = None
    concurrency: int | None = None
    queues: Mapping[str, int] = NOTHING
    limits: Mapping[str, LimitConfig] = NOTHING
    drain: float = 25.0
    health: str | None = None
    http: str | None = None
    token: str | None = None


class ExportConfig(NamedTuple):
    """``[export.<provider>]``: for infrastructure files.

    Attributes:
        domain: the name of the app for callers without leeward; empty for none.
        zone: the DNS zone of the domain, in the provider's words.
        interval: seconds from one health check to the next.
        failures: of checks in a row, after which a region does not answer.
        standby_instances: instances that a standby region keeps ready; None for the provider's
            default.
        retention_days: days for which a bucket keeps deleted and overwritten objects.
    """

    domain: str = ""
    zone: str = ""
    interval: int = 30
    failures: int = 3
    standby_instances: int | None = None
    retention_days: int = 30


@show_only(
    "order functions buses tables workflows workflow_target source trust_env data_target file "
    "groups residency weights fail_back hedge health_checks snapshot buckets export dead_letters "
    "unknowns unknowns_payload worker spool deploy prefix"
)
class Config(NamedTuple):
    """The whole configuration, checked.

    Attributes:
        order: the targets, in order of preference.
        options: options of each target, by its name.
        functions: by logical name; a function that is not here has the defaults.
        buses: by logical name.
        tables: by logical name.
        workflows: by name.
        workflow_target: where runs of workflows live; None for the only target of the order.
        source: the CloudEvents `source` of events that name none.
        trust_env: whether adapters may use the environment.
        data_target: the home of tables and buckets that have none of their own; None if there is
            none.
        file: the path of the file that it comes from; None if it was made in Python.
        buckets: by logical name.
        groups: functions and buses that not the whole order serves, by a name of your own.
        residency: target, or provider, to where its data is.
        weights: target to the percentage of the calls that it is asked for first although it is
            not the preferred one.
        fail_back: when calls return to the preferred target: ``prefer_primary``, as soon as it has
            recovered; ``sticky``, when the one in use fails; ``manual``, when an operator says.
        hedge: ask a second target when a harmless call takes long.
        health_checks: probe every target; None for no such probes.
        snapshot: the table in which processes tell each other what they have seen; None for none.
        unknowns: the table in which clients leave calls whose outcome is unknown; None for none.
        unknowns_payload: leave there what was sent, too.
        export: what infrastructure files say, by provider.
        dead_letters: a dead-letter queue, by its own name, to the queues that its letters go back
            to.
        worker: what ``leeward worker`` runs.
        spool: where events wait until a target takes them.
        deploy: ``[deploy]`` as it stands there; what writes packages and infrastructure reads it.
        prefix: the beginning of names on targets that have stages, such as ``shop-prod-``, where
            nothing gives the own name; empty for none.
    """

    order: tuple[TargetName, ...] = ()
    options: Mapping[str, Mapping[str, Any]] = NOTHING
    functions: Mapping[str, FunctionConfig] = NOTHING
    buses: Mapping[str, BusConfig] = NOTHING
    tables: Mapping[str, TableConfig] = NOTHING
    workflows: Mapping[str, WorkflowConfig] = NOTHING
    workflow_target: str | None = None
    source: str = "leeward"
    trust_env: bool = True
    data_target: str | None = None
    file: str | None = None
    buckets: Mapping[str, BucketConfig] = NOTHING
    groups: Mapping[str, GroupConfig] = NOTHING
    residency: Mapping[str, str] = NOTHING
    weights: Mapping[str, float] = NOTHING
    fail_back: str = "prefer_primary"
    hedge: bool = False
    health_checks: HealthChecks | None = None
    snapshot: str | None = None
    unknowns: str | None = None
    unknowns_payload: bool = False
    export: Mapping[str, ExportConfig] = NOTHING
    dead_letters: Mapping[str, tuple[str, ...]] = NOTHING
    worker: WorkerConfig = WorkerConfig()
    spool: SpoolConfig = SpoolConfig()
    deploy: Mapping[str, Any] = NOTHING
    prefix: str = ""

    def homes(self) -> Mapping[str, str]:
        """Return the tables that have a home of their own; `data_target` is that of all others."""
        return {name: table.home for name, table in self.tables.items() if table.home is not None}

    def bucket_homes(self) -> Mapping[str, str]:
        """Return the buckets that have a home of their own."""
        return {name: rule.home for name, rule in self.buckets.items() if rule.home is not None}


class ConfigKey(NamedTuple):
    """A key of a configuration.

    Attributes:
        file: the path of the ``leeward.toml``; None for a `Config` that was made in Python.
        path: the dotted key, such as ``tables.orders.home``; empty for the whole.
    """

    file: str | None
    path: str = ""

    def child(self, key: str) -> ConfigKey:
        """Return the location of a key below this one."""
        bare = key.replace("_", "").replace("-", "").isalnum()
        quoted = key if bare else f'"{key}"' if is_printable(key) else repr(key)
        return ConfigKey(self.file, f"{self.path}.{quoted}" if self.path else quoted)

    def __str__(self) -> str:
        """Return ``tables.orders.home in leeward.toml``."""
        file = "the Config" if self.file is None else self.file
        return f"{self.path} in {file}" if self.path else file


def key_of(config: Config, *keys: str) -> ConfigKey:
    """Return the location of a key, given from the top."""
    return reduce(ConfigKey.child, keys, ConfigKey(config.file))


T = TypeVar("T")


def all_of(reads: Iterable[Callable[[], T]]) -> list[T]:
    """Return what each returns.

    Raises:
        ConfigError: one of them has raised one. It names what is wrong with every one.
    """
    values, errors = [], []
    for read in reads:
        try:
            values.append(read())
        except ConfigError as error:
            errors.append(error)
    if len(errors) > 1:
        raise ConfigError("\n".join(map(str, errors))) from errors[0]
    if errors:
        raise errors[0]
    return values


FUNCTION_VERBS = ("invoke", "settle", "enqueue")
BUS_VERBS = ("publish",)


def groups_of(config: Config, order: tuple[str, ...]) -> dict[tuple[str, str], TargetGroup]:
    """Return verb and name of each function and bus that has a group, and the targets in it.

    Targets that are not in the order wait until they are. Residency is looked at before anything
    else: a target that is not known to keep to it is not in the group.

    Raises:
        ConfigError: a group has no target left, or two groups have the same function or bus.
    """
    groups: dict[tuple[str, str], TargetGroup] = {}
    for name, group in config.groups.items():
        where = ConfigKey(config.file).child("groups").child(name)
        target_group = _group(config, group, order, where)
        keys = [(verb, function) for function in group.functions for verb in FUNCTION_VERBS]
        keys += [(verb, bus) for bus in group.buses for verb in BUS_VERBS]
        for key in keys:
            if key in groups:
                raise ConfigError(f"{where} names {key[1]!r}, which another group names, too")
            groups[key] = target_group
    return groups


def residency_of(config: Config, target: str) -> str | None:
    """Return where the data of a target is, as configured; its provider's entry counts for it."""
    residency = config.residency.get(target)
    return config.residency.get(target.partition(":")[0]) if residency is None else residency


class Keeper(NamedTuple):
    """A place that keeps what belongs to functions, buses or tables.

    Attributes:
        keys: that say so, from the top.
        names: of the functions, buses and tables; None for all that the groups name.
        remedy: what else may be done, beside another target.
    """

    keys: tuple[str, ...]
    target: str
    names: frozenset[str] | None
    remedy: str


_LISTS = "order key residency functions buses targets handlers marks shared_dedup".split()


def check_lists(config: Config) -> None:
    """Raise `ConfigError` for a text in the place of several names: its letters would be those."""
    values: dict[tuple[str, ...], Any] = {("order",): config.order}
    values |= {("dead_letters", name): to for name, to in config.dead_letters.items()}
    for keys in (("functions",), ("tables",), ("groups",), ("worker", "limits")):
        section: Any = reduce(getattr, keys, config)
        for name, entry in section.items():
            values |= {(*keys, name, key): getattr(entry, key, None) for key in _LISTS}
    texts = [key_of(config, *keys) for keys, value in values.items() if isinstance(value, str)]
    if texts:
        raise ConfigError("\n".join(f"{key} is a text; write a tuple of names" for key in texts))


def check_homes(config: Config) -> None:
    """Raise `ConfigError` if something is kept outside of its residency; it names all of it."""
    flaws, keepers = [], []
    for name, table in config.tables.items():
        home = table.home or config.data_target
        where = None if home is None else residency_of(config, home)
        if table.residency and home is not None and where not in table.residency:
            flaws.append(
                f"{key_of(config, 'tables', name, 'residency')} is {', '.join(table.residency)}, "
                f"but its home {home!r} is {_name_place(where)}; give the table another home, or "
                "name the target in [residency]"
            )
    if config.spool.target is not None:
        buses = frozenset(bus for bus, rule in config.buses.items() if rule.on_all_down == "spool")
        remedy = "set `path` instead, or on_all_down = 'raise' for them"
        keepers.append(Keeper(("spool", "target"), config.spool.target, buses, remedy))
    table = config.tables.get(config.unknowns or "", TableConfig())
    home = table.home or config.data_target
    if config.unknowns is not None and config.unknowns_payload and home is not None:
        keepers.append(Keeper(("unknowns_payload",), home, None, "leave it out"))
    check_kept(config, *keepers, flaws_before=flaws)


def check_kept(config: Config, *keepers: Keeper, flaws_before: Iterable[str] = ()) -> None:
    """Raise `ConfigError` if one of them is outside of the residency of what it keeps.

    A file of the embedded target is where the process is, unless [residency] says where.
    """
    owned: list[tuple[str, tuple[str, ...], tuple[str, ...]]]
    owned = [("tables", (name,), table.residency) for name, table in config.tables.items()]
    owned += [
        (f"groups.{name}", (*group.functions, *group.buses), group.residency)
        for name, group in config.groups.items()
    ]
    flaws = [*flaws_before]
    for keeper in keepers:
        where = residency_of(config, keeper.target)
        is_here = where is None and keeper.target.partition(":")[0] == "local"
        for section, names, residency in owned:
            kept = [name for name in names if keeper.names is None or name in keeper.names]
            if residency and kept and where not in residency and not is_here:
                flaws.append(
                    f"{key_of(config, *keeper.keys)} keeps what belongs to {', '.join(kept)}, "
                    f"which [{section}] keeps in "
                    f"{', '.join(residency)}, and its target {keeper.target!r} is "
                    f"{_name_place(where)}; choose a target there, name it in [residency], or "
                    f"{keeper.remedy}"
                )
    if flaws:
        raise ConfigError("; ".join(flaws))


def _name_place(where: str | None) -> str:
    return f"in {where}" if where else "nowhere that [residency] names"


def shares_of(weights: Mapping[str, float]) -> dict[str, float]:
    """Return percent as shares."""
    return {target: percent / 100 for target, percent in weights.items()}


def _group(
    config: Config, group: GroupConfig, order: tuple[str, ...], where: ConfigKey
) -> TargetGroup:
    wanted = group.targets or order
    allowed = tuple(
        target
        for target in wanted
        if not group.residency or residency_of(config, target) in group.residency
    )
    if not allowed:
        raise ConfigError(
            f"{where.child('residency')} is {', '.join(group.residency)}, and no target of the "
            "group is there; name the targets' residency in [residency]"
        )
    present = tuple(target for target in allowed if target in order)
    if not present:
        raise ConfigError(
            f"{where} has no target of the order ({', '.join(order)}); it has {', '.join(allowed)}"
        )
    return TargetGroup(present, shares_of(group.weights), group.fail_back or config.fail_back)
