"""What a provider offers to leeward-deploy, by entry points under its name.

``leeward.packagers`` names a function that takes a `PackageSpec` and returns the `Recipe`, or
raises `ConfigError` for what the platform does not run; ``leeward.edges`` an
`leeward_deploy.edge.exports.Edge`; ``leeward.workflow_exports`` a `WorkflowExporter`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from leeward.adapter.looking import Expected
from leeward.app.app import App
from leeward.config import Config
from leeward.entrypoints import all_entry_points, entry_points
from leeward.errors import ConfigError
from leeward.logs import import_flaw
from leeward.values import NOTHING
from leeward.workflow.model import Definition
from leeward_deploy.settings import DeploySettings
from leeward_deploy.uses import SECTIONS
from leeward_deploy.uv import PackageSource

PACKAGERS: Final = "leeward.packagers"
EDGES: Final = "leeward.edges"
WORKFLOW_EXPORTS: Final = "leeward.workflow_exports"

ARCHES: Final = {"x86_64": "x86_64", "arm64": "aarch64"}
"""What clouds call the two kinds of processors, and what wheels call them."""

Check: TypeAlias = Callable[[Path, PackageSource], tuple[str, ...]]
"""Looks at a finished folder, with packages from a source; returns what there is to say of it.

It raises `ConfigError` if the platform would not load it."""

_NOTHING: Final = {
    PACKAGERS: "no platform {} to package for",
    EDGES: "no edge {} to export to",
    WORKFLOW_EXPORTS: "no engine {} to export to",
}


class Entry(NamedTuple):
    """Where an app is, and what its entry file hands to `App.handler`.

    Attributes:
        module: that has it.
        attribute: its name there.
        options: of the platform's runtime.
    """

    module: str
    attribute: str
    options: Mapping[str, Any] = NOTHING


class Declared(NamedTuple):
    """What ``leeward.toml`` names for the app's own calls, each with its own name on the target.

    Attributes:
        functions: that it calls.
        buses: that it publishes to.
        tables: that it keeps items in.
        buckets: that it keeps objects in.
        settings: of the target.
        ordered: it names the targets, too, so that no variable has to.
        order: that a variable has to name, if that is more than the provider.
        workflows: that it starts.
        queues: those of the functions that are queues, whose handlers take messages.
        prefix: the beginning of own names that nothing gives, such as ``shop-prod-``.
    """

    functions: Mapping[str, str] = NOTHING
    buses: Mapping[str, str] = NOTHING
    tables: Mapping[str, str] = NOTHING
    buckets: Mapping[str, str] = NOTHING
    settings: Mapping[str, Any] = NOTHING
    ordered: bool = False
    order: str = ""
    workflows: Mapping[str, str] = NOTHING
    queues: tuple[str, ...] = ()
    prefix: str = ""

    def own(self, name: str) -> str:
        """Return the target's own name of a function or a queue, which the app may have alone."""
        return self.functions.get(name) or self.usual(name)

    def usual(self, name: str) -> str:
        """Return the own name of what nothing gives one; that of another account stays."""
        return name if ":" in name else f"{self.prefix}{name}"


class Rights(NamedTuple):
    """What a handler uses, by logical names.

    Attributes:
        publishes: buses.
        calls: functions, and queues of messages.
        reads: tables.
        writes: tables of which it may read, store and delete items.
        stores: tables that it stores items in.
        removes: tables that it deletes items of.
        gets: buckets that it reads objects of.
        puts: buckets that it writes objects to, and reads them of.
        starts: workflows.
        deletes: buckets that it deletes objects of.
    """

    publishes: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()
    removes: frozenset[str] = frozenset()
    gets: frozenset[str] = frozenset()
    puts: frozenset[str] = frozenset()
    starts: frozenset[str] = frozenset()
    deletes: frozenset[str] = frozenset()

    @property
    def changes(self) -> frozenset[str]:
        """Return the tables of which it changes items in some way."""
        return self.writes | self.stores | self.removes

    def __or__(self, other: Rights) -> Rights:
        """Return what either may do."""
        return Rights(*(one | more for one, more in zip(self, other, strict=True)))


class PackageSpec(NamedTuple):
    """What is to be packaged.

    Attributes:
        app: with its handlers.
        entry: where it is.
        python: such as ``3.13``.
        arch: of `ARCHES`.
        files: the texts of the user's own files at the root, by name; none but those of the names
            that a recipe writes matter.
        declared: for the rights of handlers.
        settings: what infrastructure files say beside the app.
        rights: what each handler uses, by its name; of one that is not there, all that is declared.
        notes: what is to be said of the rights.
        warm: what is used to make what handlers share, which the answer for the health makes, too.
    """

    app: App
    entry: Entry
    python: str
    arch: str
    files: Mapping[str, str] = NOTHING
    declared: Declared = Declared()
    settings: DeploySettings = DeploySettings()
    rights: Mapping[str, Rights] = NOTHING
    notes: tuple[str, ...] = ()
    warm: Rights = Rights()


def rights_for(spec: PackageSpec, handler: str) -> Rights:
    """Return what a handler uses; all that is declared where nobody has looked."""
    return spec.rights.get(handler) or everything(spec.declared)


def changes_of(spec: PackageSpec) -> frozenset[str]:
    """Return the tables and buckets of which some handler changes what they hold."""
    used = [rights_for(spec, handler) for handler in spec.app.handlers]
    return frozenset().union(*(rights.changes | rights.puts | rights.deletes for rights in used))


def widenings(spec: PackageSpec) -> Iterator[str]:
    """Yield what a handler of objects may besides what its prefixes say."""
    for name, handler in spec.app.handlers.items():
        rights, declared = rights_for(spec, name), spec.declared.buckets.keys()
        narrow = {str(handler.bucket), *(place.bucket for place in handler.writes)}
        for bucket in sorted(narrow & declared & (rights.gets | rights.deletes)):
            yield (
                f"{name}: its calls name objects of {bucket} that no prefix bounds, so it may read "
                "or delete them in the whole bucket"
            )


def everything(source: Config | Declared) -> Rights:
    """Return all that a configuration names."""
    return Rights(
        **{right: frozenset(getattr(source, section)) for right, section in SECTIONS.items()}
    )


class Limit(NamedTuple):
    """How large a package may be.

    Attributes:
        what: ``zip`` or ``folder``.
        bytes: at most.
        source: who says so.
        remedy: what to do about a larger one.
        refuses: False for one that rules out a way to deploy, and not all of them.
    """

    what: str
    bytes: int
    source: str
    remedy: str
    refuses: bool = True


class Command(NamedTuple):
    """A way to deploy a package.

    Attributes:
        tool: whose command it is.
        text: the command; what the user has to fill in is in capitals.
        hint: what it needs, or is for.
    """

    tool: str
    text: str
    hint: str


class Table(NamedTuple):
    """A table: its own name, the fields of its key, its region, and whether it is there already."""

    name: str
    key: tuple[str, ...]
    region: str
    exists: bool = False


class Bucket(NamedTuple):
    """A bucket: its own name, its region, and whether it is there already."""

    name: str
    region: str
    exists: bool = False


class Site(NamedTuple):
    """One region that an app is to run in, what is named there, and the target that it is."""

    region: str
    declared: Declared
    target: str = ""


class Deployment(NamedTuple):
    """Where an app is to run on a provider, and how it fails over from one region to another.

    Attributes:
        sites: the first one serves; the others are standbys, in order.
        tables: whose home is there.
        buckets: whose home is there.
        away: logical names of buckets whose home is at another provider.
        domain: the name by which others than leeward call the app, which then has a function that
            is called by HTTP; empty for none.
        zone: of DNS, that has the domain.
        interval: seconds from one health check to the next.
        failures: of checks in a row, after which a region does not answer.
        standby_instances: that a standby region keeps ready; None for the provider's usual way.
        retention_days: that a bucket keeps what was deleted or overwritten.
        expected: what goes into the files, so that they can be compared with what is there.
    """

    sites: tuple[Site, ...]
    tables: tuple[Table, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    away: frozenset[str] = frozenset()
    domain: str = ""
    zone: str = ""
    interval: int = 30
    failures: int = 3
    standby_instances: int | None = None
    retention_days: int = 30
    expected: tuple[Expected, ...] = ()


class System(NamedTuple):
    """What wheels meet on a platform.

    Attributes:
        name: of the runtime, for messages.
        glibc: its version.
        remedy: what helps where that is too old.
    """

    name: str
    glibc: tuple[int, int]
    remedy: str


class Recipe(NamedTuple):
    """What a platform wants.

    Attributes:
        entry: the file that it loads.
        statement: that file's last line; ``{app}`` stands for the app.
        requires: what the package needs besides what the user requires.
        system: where it runs.
        place: of what is required, below the folder; empty for the folder itself.
        files: further files, unless the user has such a file.
        built: what the platform installs by itself, from the package's ``requirements.txt``: this,
            and what that needs, is left out of the folder.
        lists: the package has a ``requirements.txt`` at its root.
        limits: of its size.
        commands: that deploy it, given the folder that the package's folder is in.
        check: of the finished folder.
        provided: modules that the platform has besides Python's own.
        cloud: what its facts need, a `leeward_deploy.facts.Cloud`; None where nothing is exported.
    """

    entry: str
    statement: str
    requires: tuple[str, ...]
    system: System
    place: str = ""
    files: Mapping[str, str] = NOTHING
    built: tuple[str, ...] = ()
    lists: bool = False
    limits: tuple[Limit, ...] = ()
    commands: Callable[[str], tuple[Command, ...]] = lambda _: ()
    check: Check | None = None
    provided: tuple[str, ...] = ()
    cloud: Any = None


PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")
"""That leeward runs on, and so far every platform has."""


def check_platform(
    spec: PackageSpec, platform: str, source: str, arches: Collection[str] = ("x86_64",)
) -> None:
    """Check that a platform has the Python and the processor of a spec.

    Raises:
        ConfigError: it has not; the Pythons that it has are named.
    """
    if spec.python not in PYTHONS:
        raise ConfigError(
            f"{platform} has no Python {spec.python} that leeward runs on; --python may be "
            f"{', '.join(PYTHONS)} ({source})"
        )
    if spec.arch not in arches:
        raise ConfigError(f"{platform} has no processor {spec.arch}; leave --arch out")


class WorkflowExport(NamedTuple):
    """What is to be deployed.

    Attributes:
        files: texts, by their paths below the folder of the export.
        command: that deploys them.
    """

    files: Mapping[str, str]
    command: str


WorkflowExporter: TypeAlias = Callable[
    [Definition, Mapping[str, str], Collection[str]], WorkflowExport
]
"""Takes a definition, own names of functions by their logical names, and the logical names of those
that are known to mark their answers: of another one no status proves that it did not run.

It raises `ConfigError` where its engine cannot run the definition."""


def providers_with(group: str) -> list[str]:
    """Return the names under which installed packages offer something in a group."""
    return sorted({point.name for point in all_entry_points(group)})


def offer_of(group: str, provider: str) -> Any:
    """Load what is offered for a provider, such as its packager.

    Args:
        group: of entry points: `PACKAGERS`, `EDGES` or `WORKFLOW_EXPORTS`.
        provider: whose.

    Raises:
        ConfigError: no installed package offers it, several do, or it needs what is not installed.
    """
    points = [point for point in entry_points(group) if point.name == provider]
    points = points or [point for point in all_entry_points(group) if point.name == provider]
    if not points:
        names = ", ".join(providers_with(group)) or "none"
        raise ConfigError(
            f"{_NOTHING[group].format(repr(provider))}; known: {names}; install the package of "
            "leeward that writes for it"
        )
    if len(points) > 1:
        packages = ", ".join(sorted(point.distribution for point in points))
        raise ConfigError(f"several packages offer {group} for {provider!r} ({packages})")
    try:
        return points[0].load()
    except ImportError as error:
        if (error.name or "").partition(".")[0] == f"leeward_{provider}":
            raise _missing_adapter(provider) from error
        raise ConfigError(
            f"{points[0].value} cannot be loaded ({import_flaw(error)}); install or update what it "
            "needs"
        ) from error


def same_versions(provider: str) -> tuple[str, ...]:
    """Return the requirements for leeward and an adapter as they are here: so it was checked.

    Raises:
        ConfigError: the adapter is not installed here.
    """
    try:
        return tuple(f"{name}=={version(name)}" for name in ("leeward", f"leeward-{provider}"))
    except PackageNotFoundError as error:
        raise _missing_adapter(provider) from error


def _missing_adapter(provider: str) -> ConfigError:
    return ConfigError(
        f"what is written for {provider} needs its adapter, which is not installed here; "
        f'pip install "leeward[{provider}]"'
    )
