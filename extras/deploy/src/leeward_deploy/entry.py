"""Where an app is, read from the text of modules; and the app, imported.

A module has an app if it assigns ``App(...)`` to a name. An entry file is a module that calls
``app.handler("PLATFORM", ...)``; what it hands to that call besides is read as it stands there, so
it has to be written out. Nothing is imported to find it.

The app is imported because its handlers decide what it needs. Its modules are forgotten again, and
none of their names that was loaded before is taken for one of them: another folder may have modules
of the same names.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Mapping
from importlib import invalidate_caches
from pathlib import Path
from stat import S_IWOTH
from typing import Any, NamedTuple

from leeward.app.app import App
from leeward.errors import ConfigError
from leeward.registry import import_object
from leeward_deploy.recipe import Entry


class HandlerCall(NamedTuple):
    """A call of `App.handler` in a module.

    Attributes:
        platform: that it names.
        entry: the app that it is called of.
    """

    platform: str
    entry: Entry


def apps_in(text: str) -> tuple[str, ...]:
    """Return the names of the apps that a module makes at its top level."""
    return tuple(
        target.id
        for node in parse(text).body
        if isinstance(node, ast.Assign | ast.AnnAssign) and _is_app(node.value)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    )


def handler_calls(text: str, file: str) -> Iterator[HandlerCall]:
    """Yield the calls of `App.handler` of a module, of apps that it has imported by name.

    Raises:
        ConfigError: an option of one is not written out.
    """
    tree = parse(text)
    imported = {
        name.asname or name.name: (node.module, name.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
        for name in node.names
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "handler"
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in imported
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
        ):
            module, attribute = imported[node.func.value.id]
            entry = Entry(module, attribute, _options(node, file))
            yield HandlerCall(node.args[0].value, entry)


def find_app(modules: Mapping[str, str]) -> Entry:
    """Return the one app of some modules.

    Raises:
        ConfigError: there is no app, or more than one.
    """
    apps = [(module, name) for module, text in modules.items() for name in apps_in(text)]
    if len(apps) == 1:
        return Entry(*apps[0])
    names = ", ".join(f"{module}:{name}" for module, name in apps)
    if names:
        raise ConfigError(f"there are several apps here: {names}; say which one is to be packaged")
    raise ConfigError(
        'no module here has an app, such as `app = App("shop")`; say which one it is, as '
        "MODULE:NAME, or where it is, with --source"
    )


def entry_text(entry: Entry, statement: str) -> str:
    """Return an entry file: at most three lines, of which the second is empty."""
    name = "packaged"
    return (
        f"from {entry.module} import {entry.attribute} as {name}\n\n{statement.format(app=name)}\n"
    )


def parse(text: str | bytes) -> ast.Module:
    """Return code as a tree; an empty one where it is not Python."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def _is_app(value: ast.expr | None) -> bool:
    if not isinstance(value, ast.Call):
        return False
    function = value.func
    return (isinstance(function, ast.Name) and function.id == "App") or (
        isinstance(function, ast.Attribute) and function.attr == "App"
    )


def _options(call: ast.Call, file: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for keyword in call.keywords:
        try:
            options[keyword.arg or "**"] = ast.literal_eval(keyword.value)
        except ValueError as error:
            raise ConfigError(
                f"{file}, line {call.lineno}: the option {keyword.arg or '**'} of handler() is not "
                "written out, so what it needs cannot be packaged; write it as a literal"
            ) from error
    return options


def load_app(folder: Path, entry: Entry) -> App:
    """Import the app of a folder, and check its handlers.

    Raises:
        ConfigError: it cannot be imported, is not an `App`, or a handler is wrong.
    """
    if os.name == "posix" and folder.stat().st_mode & S_IWOTH:
        raise ConfigError(
            f"{folder} may be written by others, who could put a module there; run "
            f"`chmod o-w {folder}`"
        )
    where = f"{entry.module}:{entry.attribute}"
    names = {file.stem for file in folder.iterdir() if file.is_dir() or file.suffix == ".py"}
    others = {
        name: sys.modules.pop(name) for name in [*sys.modules] if name.partition(".")[0] in names
    }
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    invalidate_caches()
    try:
        app = import_object(where, f"{where} in {folder}")
        if not isinstance(app, App):
            raise ConfigError(f"{where} is not an App; name one as MODULE:NAME")
        app.check()
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules.get(name), "__file__", None)
            if file and Path(file).resolve().is_relative_to(folder.resolve()):
                del sys.modules[name]
        sys.modules.update(others)
    return app
