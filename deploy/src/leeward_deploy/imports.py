"""What the code of an app imports, and whether a package has it: read from texts, nothing is run.

Followed are the modules of the app itself, from its entry on; a script or a tool beside them that
nothing imports is not asked.
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

_MISSING: Final = ("ImportError", "ModuleNotFoundError", "Exception")
"""What code catches that does without a module."""

_NATIVE: Final = (".so", ".pyd")


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


def imports_in(text: str, package: str = "") -> Iterator[Import]:
    """Yield what a module imports, other than what it can do without, or only types are of.

    Args:
        text: of the module.
        package: that it is in, by which its relative imports are read.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    yield from _below(tree, package)


def check_imports(
    folder: Path,
    files: Collection[str],
    entries: Collection[str],
    place: Path,
    *,
    provided: Collection[str] = (),
    built: Collection[str] = (),
) -> None:
    """Check that a package has whatever the app's code imports.

    Args:
        folder: of the user.
        files: of it that go along.
        entries: modules that the platform loads.
        place: where what is required was installed.
        provided: modules that the platform has.
        built: distributions that the platform installs by itself.

    Raises:
        ConfigError: something is missing; the file, the line and a remedy are named.
    """
    for file, found in _reachable(folder, files, entries):
        top = found.module.partition(".")[0]
        known = top in sys.stdlib_module_names or any(
            found.module == each or found.module.startswith(f"{each}.") for each in provided
        )
        is_own = any(each == f"{top}.py" or each.startswith(f"{top}/") for each in files)
        if known or is_own or _is_there(place, found):
            continue
        offered = packages_distributions().get(top, [])
        if any(re.sub(r"[-_.]+", "-", each).lower() in built for each in offered):
            continue
        name = offered[0] if len(offered) == 1 else top
        raise ConfigError(
            f"{file}, line {found.line}, imports {found.module}, which the package would not have; "
            f"add {name} to requirements.txt, or catch ImportError where it may be missing"
        )


def _below(node: ast.AST, package: str) -> Iterator[Import]:
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.Import):
            yield from (Import(alias.name, (), each.lineno) for alias in each.names)
        elif isinstance(each, ast.ImportFrom):
            yield from _names_in(each, package)
        elif isinstance(each, ast.Try) and any(map(_is_without, each.handlers)):
            for part in (*each.handlers, *each.orelse, *each.finalbody):
                yield from _below(part, package)
        elif isinstance(each, ast.If) and "TYPE_CHECKING" in ast.unparse(each.test):
            yield from _below(ast.Module(each.orelse, []), package)
        else:
            yield from _below(each, package)


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
    """Return whether a handler catches that a module is missing."""
    caught = handler.type
    if caught is None:
        return True
    parts = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(ast.unparse(part) in _MISSING for part in parts)


def _reachable(
    folder: Path, files: Collection[str], entries: Collection[str]
) -> Iterator[tuple[str, Import]]:
    """Yield what is imported by each module of the app that its entries lead to, with its file."""
    left = [file for entry in entries for file in _files_of(entry, files)]
    seen: set[str] = set()
    while left:
        file = left.pop()
        if file in seen:
            continue
        seen.add(file)
        package = ".".join(Path(file).parent.parts)
        text = (folder / file).read_text(encoding="utf-8", errors="replace")
        for each in imports_in(text, package):
            yield file, each
            left += _files_of(each.module, files)
            for name in each.names:
                left += _files_of(f"{each.module}.{name}", files)


def _files_of(module: str, files: Collection[str]) -> list[str]:
    """Return the files that are loaded with a module: its own, and those of the packages around."""
    parts = module.split(".")
    paths = ["/".join(parts[: number + 1]) for number in range(len(parts))]
    return [
        each for path in paths for each in (f"{path}.py", f"{path}/__init__.py") if each in files
    ]


def _is_there(place: Path, found: Import) -> bool:
    """Return whether a folder of packages has a module; of a namespace, the part that is named."""
    here = place
    for part in found.module.split("."):
        here = here / part
        if (here / "__init__.py").exists() or _is_file(here):
            return True
        if not here.is_dir():
            return False
    return all((here / name).is_dir() or _is_file(here / name) for name in found.names)


def _is_file(path: Path) -> bool:
    """Return whether a path without its ending is a module."""
    if path.with_name(f"{path.name}.py").exists():
        return True
    ends = tuple(_NATIVE)
    return any(each.name.endswith(ends) for each in path.parent.glob(f"{path.name}.*"))
