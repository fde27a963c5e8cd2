"""What the code of an app imports, and whether a package has it: read from texts, nothing is run.

Followed are the modules of the app itself, from its entry on; a script or a tool beside them that
nothing imports is not asked. An import by name, such as ``import_module("x")``, counts where the
name is a text. One under a condition (a system, a version, only for types) does not count, nor one
that the code can do without.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final, NamedTuple

from leeward.errors import ConfigError
from leeward_deploy.entry import parse

_MISSING: Final = ("ImportError", "ModuleNotFoundError", "Exception", "BaseException")
"""What code catches that does without a module."""

_IMPORTERS: Final = ("import_module", "__import__")
"""Functions that import by a text."""

_ASKS: Final = frozenset({"ran", "explain_ran"})
"""Functions of leeward that ask what ran."""

_NATIVE: Final = (".so", ".pyd")

MOST_NAMED: Final = 8
"""Imports that one message names."""


class Import(NamedTuple):
    """One module that code needs.

    Attributes:
        module: with dots.
        names: that are taken out of it; one may be a module, too.
        line: of the text.
    """

    module: str
    names: tuple[str, ...]
    line: int

    def modules(self) -> list[str]:
        """Return the module, and what is taken out of it, as modules that it may have."""
        return [self.module, *(f"{self.module}.{name}" for name in self.names)]


class Contents(NamedTuple):
    """What a package will have.

    Attributes:
        folder: of the user.
        files: of it that go along.
        place: where what is required was installed.
        provided: modules that the platform has.
        built: distributions that the platform installs by itself.
        listed: the file with what the app requires.
    """

    folder: Path
    files: Collection[str]
    place: Path
    provided: Collection[str] = ()
    built: Collection[str] = ()
    listed: str = "requirements.txt"


def check_imports(contents: Contents, entries: Collection[str]) -> None:
    """Check that a package has whatever the app's code imports.

    Args:
        contents: of the package.
        entries: modules that the platform loads.

    Raises:
        ConfigError: something is missing; each file and line is named, and a remedy.
    """
    missing: dict[str, str] = {}
    left_out: list[str] = []
    for file, need in _reachable(contents, entries):
        if _has(contents, need):
            continue
        where = f"{file}, line {need.line}, imports {need.module}"
        if any(_is_module(contents.folder, module) for module in need.modules()):
            left_out.append(where)
            continue
        if need.module.partition(".")[0].startswith("leeward"):
            raise ConfigError(
                f"{where}, which no package has: leeward's command line, its workers, and what "
                "tests use are left out; import it in code that functions do not load"
            )
        name = distribution_of(need.module)
        if re.sub(r"[-_.]+", "-", name).lower() not in contents.built:
            missing.setdefault(name, where)
    if left_out:
        raise ConfigError(
            f"{_join_places(left_out)}, which is in {contents.folder}, and stays behind; a line "
            "like !name in .leewardignore takes it along"
        )
    if missing:
        raise ConfigError(
            f"{_join_places([*missing.values()])}, which the package would not have; add "
            f"{', '.join(missing)} to {contents.listed}, or catch ImportError where it may be "
            "missing, and go on without it"
        )


def asks_what_ran(text: bytes) -> bool:
    """Return whether code asks what ran; without leeward-ran, the answer of libraries is "maybe".

    An import that the code can do without does not count.
    """
    tree = parse(text)
    names = {
        alias.asname or "leeward"
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "leeward" or (alias.name.startswith("leeward.") and not alias.asname)
    }
    return any(
        need.module.partition(".")[0] == "leeward_ran"
        or (need.module.partition(".")[0] == "leeward" and not _ASKS.isdisjoint(need.names))
        for need in _imports_below(tree, "")
    ) or any(
        isinstance(node, ast.Attribute) and node.attr in _ASKS and ast.unparse(node.value) in names
        for node in ast.walk(tree)
    )


def distribution_of(module: str) -> str:
    """Return the distribution that has a module here; the first part of its name if none has."""
    top = module.partition(".")[0]
    return min(packages_distributions().get(top, [top]))


def _join_places(places: list[str]) -> str:
    rest = len(places) - MOST_NAMED
    more = f"; and {rest} more" if rest > 0 else ""
    return "; ".join(places[:MOST_NAMED]) + more


def _has(contents: Contents, need: Import) -> bool:
    """Return whether a package, or the platform, has a module."""
    top = need.module.partition(".")[0]
    if any(f"{need.module}.".startswith(f"{module}.") for module in contents.provided):
        return True
    files = [file for file in contents.files if file.startswith((f"{top}.", f"{top}/"))]
    if any(file.endswith((".py", *_NATIVE)) for file in files):
        paths = [(module, module.replace(".", "/")) for module in need.modules()]
        return all(
            any(file.startswith((f"{path}.", f"{path}/")) for file in files)
            or not _is_module(contents.folder, module)
            for module, path in paths
        )
    is_there = _is_there(contents.place, need)
    if top in sys.stdlib_module_names:
        return True
    # A part that is a file here was left out of the package; another one is made by code.
    here = [Path(folder or ".") for folder in sys.path]
    return is_there and not any(
        "." in module
        and not _is_module(contents.place, module)
        and any(_is_module(path, module) for path in here)
        for module in need.modules()
    )


def _imports_below(node: ast.AST, package: str) -> Iterator[Import]:
    """Yield what is imported below a node, and what the code does not do without."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, (), child.lineno) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from _names_in(child, package)
        elif isinstance(child, ast.Try) and any(map(_is_without, child.handlers)):
            for part in (*child.handlers, *child.orelse, *child.finalbody):
                yield from _imports_below(part, package)
        elif isinstance(child, ast.With) and any(map(_suppresses, child.items)):
            continue
        elif not isinstance(child, ast.If):  # whether a condition holds there, only a run tells
            yield from _by_name(child, package)
            yield from _imports_below(child, package)


def _by_name(call: ast.AST, package: str) -> Iterator[Import]:
    """Yield what is imported by a call whose argument is a text."""
    match call:
        case ast.Call(func, [ast.Constant(str(name)), *_]) if _last_name(func) in _IMPORTERS:
            level = len(name) - len(name.lstrip("."))
            node = ast.ImportFrom(name[level:] or None, [ast.alias("*")], level, lineno=call.lineno)
            yield from _names_in(node, package)


def _last_name(node: ast.expr) -> str:
    return ast.unparse(node).rpartition(".")[2]


def _suppresses(item: ast.withitem) -> bool:
    """Return whether a block continues where a module is missing."""
    match item.context_expr:
        case ast.Call(func, args) if _last_name(func) == "suppress":
            return any(ast.unparse(arg) in _MISSING for arg in args)
    return False


def _names_in(node: ast.ImportFrom, package: str) -> Iterator[Import]:
    """Yield what ``from ... import ...`` needs; a relative one is read from its package."""
    names = tuple(alias.name for alias in node.names if alias.name != "*")
    parts = package.split(".")
    outer = parts[: len(parts) - node.level + 1] if node.level else []
    module = ".".join(part for part in (*outer, node.module or "") if part)
    if module:
        yield Import(module, names, node.lineno)
    else:
        yield from (Import(name, (), node.lineno) for name in names)


def _is_without(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler catches that a module is missing, and continues."""
    if isinstance(handler.body[-1], ast.Raise):
        return False
    classes = handler.type
    parts = classes.elts if isinstance(classes, ast.Tuple) else [classes]
    return any(part is None or ast.unparse(part) in _MISSING for part in parts)


def _reachable(contents: Contents, entries: Collection[str]) -> Iterator[tuple[str, Import]]:
    """Yield what is imported by each module of the app that its entries lead to, with its file."""
    rest = [file for entry in entries for file in _files_of(entry, contents.files)]
    seen: set[str] = set()
    while rest:
        file = rest.pop()
        if file in seen:
            continue
        seen.add(file)
        tree = parse((contents.folder / file).read_bytes())
        for need in _imports_below(tree, ".".join(Path(file).parent.parts)):
            yield file, need
            rest += (path for name in need.modules() for path in _files_of(name, contents.files))


def _files_of(module: str, files: Collection[str]) -> list[str]:
    """Return the files that are loaded with a module: its own, and those of the packages around."""
    parts = module.split(".")
    paths = ["/".join(parts[: number + 1]) for number in range(len(parts))]
    return [
        file for path in paths for file in (f"{path}.py", f"{path}/__init__.py") if file in files
    ]


def _is_there(place: Path, need: Import) -> bool:
    """Return whether a folder of packages has a module; of a namespace, the part that is named."""
    here = place
    for part in need.module.split("."):
        here = here / part
        if _is_module(here.parent, part):
            return True
        if not here.is_dir():
            return False
    return all((here / name).is_dir() or _is_module(here, name) for name in need.names)


def _is_module(folder: Path, module: str) -> bool:
    """Return whether a module is a file or a package below a folder."""
    path = folder.joinpath(*module.split("."))
    return (path / "__init__.py").exists() or any(
        file.suffix in (".py", *_NATIVE) for file in path.parent.glob(f"{path.name}.*")
    )
