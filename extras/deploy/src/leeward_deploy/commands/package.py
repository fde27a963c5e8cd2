"""``leeward package``: an app as a cloud loads it, and how it is deployed. Nothing is deployed.

What is packaged is the app of a folder, its files, and what its ``leeward.toml`` names.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, TypeAlias, TypeVar

import typer

from leeward.app.checks import check_no_loop, check_queues
from leeward.app.runtimes import check_options
from leeward.cli.arguments import argument, flag, option
from leeward.cli.global_options import options_of
from leeward.config import Config, TableConfig, TargetName, load_settings
from leeward.config.load import with_stage
from leeward.config.model import parse_order
from leeward.entrypoints import all_entry_points
from leeward.errors import ConfigError, InvalidRequest
from leeward.registry import BUILT_IN, EMBEDDED
from leeward.registry import GROUP as ADAPTERS
from leeward.values import NOTHING
from leeward.views import Block, Column, Json, Part, Report, Table
from leeward.views.answers import show_labels
from leeward_deploy.build import Origin, build, write_files
from leeward_deploy.entry import find_app, handler_calls, load_app
from leeward_deploy.imports import asks_what_ran
from leeward_deploy.inventory import MOST_SHOWN, size_text
from leeward_deploy.recipe import ARCHES, PACKAGERS, Declared, Entry, PackageSpec, Recipe, offer_of
from leeward_deploy.rights import rights_of
from leeward_deploy.settings import check_settings, read_settings
from leeward_deploy.sources import check_no_secret, module_of, modules_in, sources_of
from leeward_deploy.uv import PackageSource

T = TypeVar("T")

SETTINGS = "leeward.toml"

REQUIRED = ("requirements.txt", "pyproject.toml")
"""Files of the user that may tell what the app needs; the first that is there counts."""

App: TypeAlias = Annotated[
    str | None, argument("MODULE:NAME. Default: the only one there is.", "[APP]")
]

Target: TypeAlias = Annotated[str, option("As in CLOUD_PROVIDER.", "PROVIDER")]

Python: TypeAlias = Annotated[str, option("Of the platform.", "3.x")]

Arch: TypeAlias = Annotated[str, option("The processor there.", "x86_64|arm64")]

Source: TypeAlias = Annotated[Path, option("Of the app. Default: the working directory.", "FOLDER")]

Out: TypeAlias = Annotated[Path, option("Where packages are written to.", "FOLDER")]

Requirements: TypeAlias = Annotated[
    Path | None, option("Default: the source's requirements.txt, or its pyproject.toml.", "FILE")
]

FindLinks: TypeAlias = Annotated[list[Path] | None, option("Of wheels; may be repeated.", "FOLDER")]

NoIndex: TypeAlias = Annotated[bool, flag("--no-index", "Take packages from --find-links alone.")]

AllowBuild: TypeAlias = Annotated[
    list[str] | None, option("Of pure Python and without a wheel: build it here.", "NAME")
]

Exclude: TypeAlias = Annotated[
    list[str] | None, option("Leave such files out; may be repeated.", "PATTERN")
]

WithReport: TypeAlias = Annotated[bool, flag("--report", "Name everything that is in it, and why.")]

Stage: TypeAlias = Annotated[
    str | None, option("Such as prod: names begin with it. Default: as [deploy] has.", "NAME")
]


class PackageRequest(NamedTuple):
    """What the command line asks for.

    Attributes:
        app: as ``MODULE:NAME``; None for the only one.
        target: the provider.
        python: such as ``3.13``.
        arch: of the processor.
        folder: of the app.
        out: where packages are written to.
        requirements: the user's own list; None for the usual one.
        leave_out: patterns of files.
        source: where packages come from.
        settings: the file in place of the folder's ``leeward.toml``; None for that.
        stage: in place of that of the file; None for that.
    """

    app: str | None
    target: str
    python: str
    arch: str
    folder: Path
    out: Path
    requirements: Path | None
    leave_out: tuple[str, ...]
    source: PackageSource
    settings: Path | None = None
    stage: str | None = None


def spec_of(request: PackageRequest) -> tuple[PackageSpec, Origin]:
    """Return what is to be packaged, and what of.

    Raises:
        ConfigError: there is no such folder, app or file, or something in it is wrong.
    """
    if request.arch not in ARCHES:
        raise ConfigError(f"--arch is {request.arch!r}; known: {', '.join(ARCHES)}")
    if not request.folder.is_dir():
        raise ConfigError(f"--source names {request.folder}, which is not a folder")
    folder = request.folder.resolve()
    files, denied, left_out = sources_of(folder, request.leave_out, request.out)
    code = _read_code(folder, files, request.target)
    files = tuple(file for file in files if file not in code.left)
    left_out += tuple((file, "the entry file of another cloud") for file in code.left)
    texts = {
        file: (folder / file).read_text(encoding="utf-8", errors="replace")
        for file in files
        if "/" not in file
    }
    requires = requires_of(folder, request.requirements)
    if request.settings is not None:
        check_no_secret(request.settings)
    is_there = request.settings is not None or SETTINGS in texts
    config = settings_of(folder, request.settings, request.stage) if is_there else Config()
    entry = _entry_of(request.app, code, config)
    settings = read_settings(config)
    app = load_app(folder, entry)
    check_settings(settings, app, config)
    for setting in ("dead_letters", "service_bus"):
        check_queues(app.handlers, entry.options.get(setting), setting)
    declared = declared_for(config, TargetName(request.target)) if is_there else Declared()
    uses = rights_of(app, config, settings, code.modules, entry.module)
    spec = PackageSpec(
        app,
        entry,
        request.python,
        request.arch,
        texts,
        declared,
        settings,
        uses.rights,
        uses.notes,
        uses.warm,
    )
    check_names(spec.declared)
    check_no_loop(spec.app.handlers.values(), spec.declared.buckets)
    origin = Origin(folder, files, requires, request.source, code.left, denied, request.settings)
    return spec, origin._replace(left_out=left_out)


def check_names(declared: Declared) -> None:
    """Check that no name is read as an expression, or stands for others, where it is written to.

    Raises:
        ConfigError: one is.
    """
    for section in ("functions", "buses", "tables", "buckets", "workflows"):
        for name, own_name in getattr(declared, section).items():
            if "${" in own_name or "%{" in own_name:
                raise ConfigError(
                    f"[{section}.{name}] is called {own_name!r}, which is an expression where it "
                    "is written to; give it a plain name"
                )
            if "*" in own_name or "?" in own_name:
                raise ConfigError(
                    f"[{section}.{name}] is called {own_name!r}, which stands for others in a "
                    "role; give it a plain name"
                )


def settings_of(folder: Path, file: Path | None, stage: str | None = None) -> Config:
    """Return what a file says, else the ``leeward.toml`` of a folder, if there is one.

    The tables that clients keep for themselves need no section there: they are named anyway.

    Args:
        folder: of the app.
        file: in place of the folder's own; None for that.
        stage: in place of that of the file; None for that.

    Raises:
        ConfigError: the file is wrong, or the named one is not there; or the stage is wrong.
    """
    if file is None and not (folder / SETTINGS).is_file():
        config = Config()
    else:
        config = load_settings(file=file or folder / SETTINGS, env=NOTHING, stage=stage)
    config = config if stage is None else with_stage(config, stage, "--stage")
    tables = {name: TableConfig() for name in (config.snapshot, config.unknowns) if name}
    return config._replace(tables={**tables, **config.tables})


def order_of(config: Config, targets: str | None) -> list[TargetName]:
    """Return the order that clients open: of the command line, else of the configuration."""
    return [*(config.order if targets is None else parse_order(targets, "--targets"))]


def adapters_of(target: str, order: Iterable[TargetName]) -> tuple[str, ...]:
    """Return the requirements for what a client opens besides a target: the rest of its order.

    Adapters that are not installed here are left to the user's own list.
    """
    adapters = {point.name: point.distribution for point in all_entry_points(ADAPTERS)}
    others = {other.provider for other in order} - {target, *BUILT_IN}
    packages = sorted(adapters[other] for other in others if other in adapters)
    return tuple(f"{package}=={version(package)}" for package in packages)


def has_embedded_target(config: Config, order: Iterable[TargetName]) -> bool:
    """Return whether a client opens the embedded target, runs its workflows there, or spools."""
    if any(bus.on_all_down == "spool" for bus in config.buses.values()):
        return True
    names = {str(target) for target in order} | {config.workflow_target or ""}
    return EMBEDDED in {name.partition(":")[0] for name in names}


def declared_for(config: Config, target: TargetName) -> Declared:
    """Return what a configuration names, with a target's own names, or those of its provider."""

    def own(section: Mapping[str, Any]) -> dict[str, str]:
        return {
            name: _for_target(entry.names, target) or f"{config.prefix}{name}"
            for name, entry in section.items()
        }

    return Declared(
        own(config.functions),
        own(config.buses),
        own(config.tables),
        own(config.buckets),
        _for_target(config.options, target) or NOTHING,
        bool(config.order),
        workflows=own(config.workflows),
        queues=tuple(name for name, function in config.functions.items() if function.queue),
        prefix=config.prefix,
    )


class Code(NamedTuple):
    """The user's own modules.

    Attributes:
        modules: texts, by name.
        near: names of those that may have the app: at the root, and in its packages.
        entries: what the entry files of this cloud call `App.handler` of.
        left: entry files of other clouds.
    """

    modules: Mapping[str, str]
    near: frozenset[str]
    entries: tuple[Entry, ...]
    left: tuple[str, ...]


def _read_code(folder: Path, files: Collection[str], target: str) -> Code:
    modules = modules_in(folder, files)
    near = [
        file
        for file in modules
        if "/" not in file
        or (file.count("/") < 2 and f"{file.partition('/')[0]}/__init__.py" in modules)
    ]
    calls = {file: [*handler_calls(modules[file], file)] for file in near}
    entries = []
    for file in (file for file in near if "/" not in file):
        for call in calls[file]:
            if call.platform == target:
                check_options(target, call.entry.options, file)
                entries.append(call.entry)
    foreign = tuple(
        file
        for file, platforms in calls.items()
        if platforms and target not in {call.platform for call in platforms}
    )
    return Code(
        {module_of(file): text for file, text in modules.items() if file not in foreign},
        frozenset(map(module_of, near)),
        tuple(entries),
        foreign,
    )


def _entry_of(app: str | None, code: Code, config: Config) -> Entry:
    """Return where the app is: as the request says, as an entry file says, or as it is found."""
    if app is None:
        near = {name: text for name, text in code.modules.items() if name in code.near}
        entries = [*code.entries, *_named_apps(config, near)]
        return entries[0] if entries else find_app(near)
    module, _, attribute = app.partition(":")
    if not module or not attribute.isidentifier():
        raise ConfigError(f"the app is {app!r}; name it as MODULE:NAME, such as shop:app")
    same = [
        entry for entry in code.entries if (entry.module, entry.attribute) == (module, attribute)
    ]
    return same[0] if same else Entry(module, attribute)


def _named_apps(config: Config, modules: Mapping[str, str]) -> list[Entry]:
    """Return the apps that an embedded target runs, as a configuration says."""
    values = [
        section.get("app")
        for name, section in config.options.items()
        if name.partition(":")[0] == EMBEDDED
    ]
    apps = [text.partition(":") for text in values if isinstance(text, str)]
    return [Entry(module, name) for module, _, name in apps if module in modules and name]


def answers_of(origin: Origin) -> tuple[str, ...]:
    """Return the requirement for leeward-ran if the user's code asks what ran, else nothing.

    It is by the code, not by what is installed here: each machine makes the same package.
    """
    code = (origin.folder / file for file in origin.files if file.endswith(".py"))
    asks = any(asks_what_ran(file.read_bytes()) for file in code)
    return (f"leeward-ran=={version('leeward')}",) if asks else ()


def _for_target(options: Mapping[str, T], target: TargetName) -> T | None:
    """Return what belongs to a target; of a provider alone, what belongs to its first target."""
    value = options.get(str(target)) or options.get(target.provider)
    if value or target.qualifier:
        return value
    values = (entry for name, entry in options.items() if name.partition(":")[0] == target.provider)
    return next(values, None)


def requires_of(folder: Path, file: Path | None) -> tuple[Path, ...]:
    """Return the list of what a folder's code requires: the named one, or the usual one.

    Raises:
        ConfigError: the named one is not there.
    """
    if file is not None:
        if not file.is_file():
            raise ConfigError(f"--requirements names {file}, which is not a file")
        return (file.resolve(),)
    return tuple(folder / name for name in REQUIRED if (folder / name).is_file())[:1]


def package(
    context: typer.Context,
    app: App = None,
    *,
    target: Target,
    python: Python = "3.13",
    arch: Arch = "x86_64",
    source: Source = Path(),
    out: Out = Path("build"),
    requirements: Requirements = None,
    find_links: FindLinks = None,
    no_index: NoIndex = False,
    allow_build: AllowBuild = None,
    exclude: Exclude = None,
    stage: Stage = None,
    report: WithReport = False,
) -> Report:
    """Package an app for a cloud: the folder, the zip, and the commands that deploy them.

    It deploys nothing. The same app gives the same bytes.
    """
    options = options_of(context)
    if not options.trust_env:
        raise InvalidRequest(
            "leeward package imports the app, and runs uv, which reads variables and files of its "
            "own; run it without --no-trust-env",
            field="--no-trust-env",
        )
    links = tuple(str(link.resolve()) for link in find_links or ())
    packages = PackageSource(links, no_index, tuple(allow_build or ()))
    request = PackageRequest(
        *(app, target, python, arch, source, out, requirements, tuple(exclude or ())),
        packages,
        options.config,
        stage,
    )
    with redirect_stdout(sys.stderr):
        data = _build(request, options.targets)
    return show_package(data, is_whole=report)


def _build(request: PackageRequest, targets: str | None) -> Json:
    """Make what is wanted, and return what there is to show of it."""
    recipe_of = offer_of(PACKAGERS, request.target)
    spec, origin = spec_of(request)
    recipe: Recipe = recipe_of(spec)
    config = settings_of(request.folder, request.settings)
    order = order_of(config, targets)
    more = (*adapters_of(request.target, order), *answers_of(origin))
    recipe = recipe._replace(requires=(*recipe.requires, *more))
    origin = origin._replace(embedded=has_embedded_target(config, order))
    package = build(spec, recipe, origin, request.out, request.target)
    return {
        "target": request.target,
        "python": spec.python,
        "arch": spec.arch,
        "handlers": list(spec.app.handlers),
        "folder": str(package.folder),
        "zip": str(package.zip),
        "sha256": package.digest,
        "zlib": package.zlib,
        "requirements": str(package.list),
        "sizes": dict(package.sizes),
        "files": list(origin.files),
        "left_out": list(origin.denied),
        "report": {
            **package.inventory.document(),
            "left_out": [{"path": path, "why": why} for path, why in origin.left_out],
        },
        "notes": [*package.notes],
        "commands": [command._asdict() for command in recipe.commands(str(request.out))],
    }


_SIZE: Final = Column("Bytes", "bytes")

_TABLES: Final = {
    "packages": (
        *(Column("Package", "name"), Column("Version", "version"), _SIZE),
        Column("Because of", lambda row: " > ".join(row["why"])),
    ),
    "own": (Column("Own file", "name"), _SIZE),
    "left_out": (Column("Left out", "path"), Column("Because", "why")),
    "unused": (Column("Left out of leeward", "name"), _SIZE),
}
"""The parts of a package's inventory, and what is shown of each."""


def show_package(data: Json, *, is_whole: bool) -> Report:
    """Return what was made; if `is_whole`, with all that is in it and the reason."""
    inventory, sizes, tables = data["report"], data["sizes"], list[Part]()
    for name, columns in _TABLES.items() if is_whole else ():
        rows = inventory[name]
        if isinstance(rows, dict):
            rows = [{"name": row, "bytes": size} for row, size in rows.items()]
        tables += [Table(columns, rows)] if rows else []
    largest = (
        f"  {size_text(package['bytes']):>9}  {package['name']} {package['version']}, "
        f"because of {' > '.join(package['why'])}"
        for package in inventory["packages"][:MOST_SHOWN]
    )
    labels = {
        "folder": f"{data['folder']}, {sizes['folder'] / 1e6:.1f} MB",
        "zip": f"{data['zip']}, {sizes['zip'] / 1e6:.1f} MB",
        "sha256": f"{data['sha256']} (zlib {data['zlib']})",
        "requirements": data["requirements"],
        "own files": f"{len(inventory['own'])}, {size_text(sum(inventory['own'].values()))}",
        "left out": f"{len(inventory['left_out'])} files and folders; --report names them, and why",
        "packages": f"{len(inventory['packages'])}, the largest:",
    }
    parts = [*tables, show_labels(labels), *(Block("Package", line) for line in largest)]
    following = ["Not deployed; do it with one of these:", *_show_commands(data)]
    return Report(data, 0.0, parts, [*data["notes"], *following])


def _show_commands(data: Json) -> list[Part]:
    return [
        Block("Command", f"  {command['tool']}: {command['text']}\n      {command['hint']}")
        for command in data["commands"]
    ]


def store(out: Path, files: Mapping[str, str]) -> None:
    """Write texts below a folder.

    Raises:
        ConfigError: it cannot be written to.
    """
    try:
        write_files(out, {name: text.encode() for name, text in files.items()})
    except OSError as error:
        raise ConfigError(f"{out} cannot be written to: {error.strerror}") from error


def show_files(data: Json) -> Report:
    """Return the files, what there is to say of them, and the commands that deploy them."""
    commands = _show_commands(data)
    following = ["Not deployed; do it with these:", *commands] if commands else []
    return Report(data, 0.0, data["files"], [*data["notes"], *following])
