"""What is to be packaged: the app of a folder, its files, and what its ``leeward.toml`` names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from leeward.app.checks import check_no_loop
from leeward.app.runtimes import check_options
from leeward.config import Config, TargetName, load_settings
from leeward.config.order import parse_order
from leeward.entrypoints import all_entry_points
from leeward.errors import ConfigError
from leeward.packaging.build import Origin
from leeward.packaging.entry import found_app, handler_calls
from leeward.packaging.loading import loaded
from leeward.packaging.recipe import ARCHES, Declared, Entry, Wish
from leeward.packaging.sources import is_entry_of_another, modules_in, sources_of
from leeward.packaging.uv import Source
from leeward.registry import BUILT_IN
from leeward.registry import GROUP as ADAPTERS
from leeward.values import NOTHING

SETTINGS = "leeward.toml"

REQUIRED = ("requirements.txt", "pyproject.toml")
"""Files of the user that may tell what the app needs; the first that is there counts."""


class Request(NamedTuple):
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
    """

    app: str | None
    target: str
    python: str
    arch: str
    folder: Path
    out: Path
    requirements: Path | None
    leave_out: tuple[str, ...]
    source: Source
    settings: Path | None = None


def wanted(request: Request) -> tuple[Wish, Origin]:
    """Return what is to be packaged, and what of.

    Raises:
        ConfigError: there is no such folder, app or file, or something in it is wrong.
    """
    if request.arch not in ARCHES:
        raise ConfigError(f"--arch is {request.arch!r}; known: {', '.join(ARCHES)}")
    if not request.folder.is_dir():
        raise ConfigError(f"--source names {request.folder}, which is not a folder")
    folder = request.folder.resolve()
    files, denied = sources_of(folder, request.leave_out, request.out)
    modules = modules_in(folder, files)
    left = [each for each in files if _is_of_another(each, modules, request.target)]
    files = tuple(each for each in files if each not in left)
    texts = {
        each: (folder / each).read_text(encoding="utf-8", errors="replace")
        for each in files
        if "/" not in each
    }
    entry = _entry(request, texts, modules)
    requires = requires_of(folder, request.requirements)
    wish = Wish(
        loaded(folder, entry),
        entry,
        request.python,
        request.arch,
        texts,
        Declared()
        if request.settings is None and SETTINGS not in texts
        else declared_for(settings_of(folder, request.settings), TargetName(request.target)),
    )
    check_names(wish.declared)
    check_no_loop(wish.app.handlers.values(), wish.declared.buckets)
    return wish, Origin(folder, files, requires, request.source, left, denied, request.settings)


def check_names(declared: Declared) -> None:
    """Check that no name is read as an expression, or stands for others, where it is written to.

    Raises:
        ConfigError: one is.
    """
    for section in ("functions", "buses", "tables", "buckets", "workflows"):
        for name, own in getattr(declared, section).items():
            if "${" in own or "%{" in own:
                raise ConfigError(
                    f"[{section}.{name}] is called {own!r}, which is an expression where it is "
                    "written to; give it a plain name"
                )
            if "*" in own or "?" in own:
                raise ConfigError(
                    f"[{section}.{name}] is called {own!r}, which stands for others in a role; "
                    "give it a plain name"
                )


def settings_of(folder: Path, file: Path | None) -> Config:
    """Return what a file says, else the ``leeward.toml`` of a folder, if there is one.

    Raises:
        ConfigError: the file is wrong, or the named one is not there.
    """
    if file is None and not (folder / SETTINGS).is_file():
        return Config()
    return load_settings(file=file or folder / SETTINGS, env=NOTHING)


def adapters_of(
    folder: Path, target: str, targets: str | None = None, file: Path | None = None
) -> tuple[str, ...]:
    """Return the requirements for what a client opens besides a target: the rest of its order.

    Adapters that are not installed here are left to the user's own list.

    Args:
        folder: of the app.
        target: that the package is for.
        targets: an order that wins over that of ``leeward.toml``.
        file: in place of the folder's ``leeward.toml``; None for that.
    """
    from importlib.metadata import version

    config = settings_of(folder, file)
    known = {each.name: each.distribution for each in all_entry_points(ADAPTERS)}
    order = config.order if targets is None else parse_order(targets, "--targets")
    others = {each.provider for each in order} - {target, *BUILT_IN}
    found = sorted(known[each] for each in others if each in known)
    return tuple(f"{each}=={version(each)}" for each in found)


def declared_for(config: Config, target: TargetName) -> Declared:
    """Return what a configuration names, with a target's own names, or those of its provider."""

    def own(section: Mapping[str, Any]) -> dict[str, str]:
        return {name: _own(each.names, target, name) for name, each in section.items()}

    return Declared(
        own(config.functions),
        own(config.buses),
        own(config.tables),
        own(config.buckets),
        _settings(config, target),
        bool(config.order),
        workflows=own(config.workflows),
        queues=tuple(name for name, each in config.functions.items() if each.queue),
    )


def _settings(config: Config, target: TargetName) -> Mapping[str, object]:
    """Return the options of a target, as a client has them; of a provider alone, its first's."""
    own = config.options.get(str(target)) or config.options.get(target.provider)
    if own or target.qualifier:
        return own or NOTHING
    named = [name for name in config.options if name.partition(":")[0] == target.provider]
    return config.options[named[0]] if named else NOTHING


def _own(names: Mapping[str, str], target: TargetName, name: str) -> str:
    """Return what a target calls something; of a provider alone, what its first target does."""
    known = names.get(str(target)) or names.get(target.provider)
    if known or target.qualifier:
        return known or name
    found = [own for each, own in names.items() if each.partition(":")[0] == target.provider]
    return found[0] if found else name


def _entry(request: Request, texts: Mapping[str, str], modules: Mapping[str, str]) -> Entry:
    """Return where the app is: as the request says, as an entry file says, or as it is found."""
    calls = []
    for file, text in texts.items():
        for call in handler_calls(text, file) if file.endswith(".py") else ():
            if call.platform == request.target:
                check_options(call.platform, call.entry.options, file)
                calls.append(call.entry)
    if request.app is None:
        is_there = request.settings is not None or SETTINGS in texts
        config = settings_of(request.folder, request.settings) if is_there else Config()
        named = _named_apps(config, modules)
        return calls[0] if calls else named[0] if named else found_app(modules)
    module, _, attribute = request.app.partition(":")
    if not module or not attribute.isidentifier():
        raise ConfigError(f"the app is {request.app!r}; name it as MODULE:NAME, such as shop:app")
    same = [each for each in calls if (each.module, each.attribute) == (module, attribute)]
    return same[0] if same else Entry(module, attribute)


def _named_apps(config: Config, modules: Mapping[str, str]) -> list[Entry]:
    """Return the apps that an embedded target runs, as a configuration says."""
    specs = [
        each.get("app")
        for name, each in config.options.items()
        if name.partition(":")[0] == "local"
    ]
    apps = [spec.partition(":") for spec in specs if isinstance(spec, str)]
    return [Entry(module, name) for module, _, name in apps if module in modules and name]


def _is_of_another(file: str, modules: Mapping[str, str], target: str) -> bool:
    text = modules.get(file.removesuffix(".py").replace("/", "."), "")
    return file.endswith(".py") and is_entry_of_another(text, file, target)


def requires_of(folder: Path, named: Path | None) -> tuple[Path, ...]:
    """Return the list of what a folder's code requires: the named one, or the usual one.

    Raises:
        ConfigError: the named one is not there.
    """
    if named is not None:
        if not named.is_file():
            raise ConfigError(f"--requirements names {named}, which is not a file")
        return (named.resolve(),)
    return tuple(folder / each for each in REQUIRED if (folder / each).is_file())[:1]
