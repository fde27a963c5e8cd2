"""Where an app is, read from the text of modules: nothing is imported to find it.

A module has an app if it assigns ``App(...)`` to a name. An entry file is a module that calls
``app.handler("PLATFORM", ...)``; what it hands to that call besides is read as it stands there, so
it has to be written out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from leeward.errors import ConfigError
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
        for node in _parse(text).body
        if isinstance(node, ast.Assign | ast.AnnAssign) and _is_app(node.value)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    )


def names_in(text: str) -> set[str]:
    """Return the names that a module defines, assigns or imports at its top level."""
    found: set[str] = set()
    for node in _parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {each.asname or each.name for each in node.names}
        else:
            stored = (each for each in ast.walk(node) if isinstance(each, ast.Name))
            found |= {each.id for each in stored if isinstance(each.ctx, ast.Store)}
    return found


def handler_calls(text: str, file: str) -> Iterator[HandlerCall]:
    """Yield the calls of `App.handler` of a module, of apps that it has imported by name.

    Raises:
        ConfigError: an option of one is not written out.
    """
    tree = _parse(text)
    imported = _names_imported(tree)
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

    Args:
        modules: their texts, by name.

    Raises:
        ConfigError: there is no app, or more than one.
    """
    found = [(module, name) for module, text in modules.items() for name in apps_in(text)]
    if len(found) == 1:
        return Entry(*found[0])
    known = ", ".join(f"{module}:{name}" for module, name in found)
    if known:
        raise ConfigError(f"there are several apps here: {known}; say which one is to be packaged")
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


def _parse(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def _is_app(value: ast.expr | None) -> bool:
    if not isinstance(value, ast.Call):
        return False
    made = value.func
    return (isinstance(made, ast.Name) and made.id == "App") or (
        isinstance(made, ast.Attribute) and made.attr == "App"
    )


def _names_imported(tree: ast.Module) -> dict[str, tuple[str, str]]:
    """Return module and name of what a module imports by ``from ... import``, by its own names."""
    return {
        each.asname or each.name: (node.module, each.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
        for each in node.names
    }


def _options(call: ast.Call, file: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in call.keywords:
        try:
            found[each.arg or "**"] = ast.literal_eval(each.value)
        except ValueError as error:
            raise ConfigError(
                f"{file}, line {call.lineno}: the option {each.arg or '**'} of handler() is not "
                "written out, so what it needs cannot be packaged; write it as a literal"
            ) from error
    return found
