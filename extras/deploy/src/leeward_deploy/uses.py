"""What the code of a handler uses, read and not run.

From the handler's function on, everything counts that it may reach by its name in the app's own
modules: functions, methods of classes, and what a module binds to a name. In all of that, a method
of a client is known by its name, and what it is for by its first argument: a text, a constant, or
what callers pass on.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from leeward.app.handlers import Handler

VERBS: Final = {
    "invoke": ("function", "calls"),
    "enqueue": ("function", "calls"),
    "settle": ("function", "calls"),
    "publish_event": ("bus", "publishes"),
    "publish_events": ("bus", "publishes"),
    "load_data": ("table", "reads"),
    "list_data": ("table", "reads"),
    "store_data": ("table", "stores"),
    "delete_data": ("table", "removes"),
    "get_object": ("bucket", "gets"),
    "head_object": ("bucket", "gets"),
    "list_objects": ("bucket", "gets"),
    "put_object": ("bucket", "puts"),
    "delete_object": ("bucket", "deletes"),
    "start_workflow": ("workflow", "starts"),
    "get_run": ("workflow", "starts"),
    "list_runs": ("workflow", "starts"),
    "wait_for_run": ("workflow", "starts"),
    "cancel_run": ("workflow", "starts"),
    "abort_run": ("workflow", "starts"),
}
"""Methods of a client that name something: the argument with the name, and what the right is."""

_LATER: Final = {"settle": 1}
"""The place of that argument where it is not the first."""

_ARGUMENTS: Final = {"table": "writes", "bucket": "puts"}
"""Arguments of leeward's decorators that name something."""

SECTIONS: Final = {
    "publishes": "buses",
    "calls": "functions",
    "reads": "tables",
    "writes": "tables",
    "stores": "tables",
    "removes": "tables",
    "gets": "buckets",
    "puts": "buckets",
    "starts": "workflows",
    "deletes": "buckets",
}
"""The section of ``leeward.toml`` that names what a right is for."""

_DYNAMIC: Final = frozenset({"eval", "exec", "globals", "import_module", "__import__"})

_BY_TEXT: Final = {"getattr": 1, "methodcaller": 0, "attrgetter": 0}
"""Functions that get a method by its name as a text, and the place of that argument."""

_OWN: Final = ("leeward", "leeward_aws", "leeward_azure", "leeward_google", "leeward_postgres")

_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class _Definition(NamedTuple):
    """A function of the app's code, or a binding of a module."""

    module: str
    node: ast.AST


def read_modules(modules: Mapping[str, str], first: set[str]) -> dict[str, ast.Module]:
    """Return the app's own modules that are loaded with some, read."""
    trees: dict[str, ast.Module] = {}
    waiting = [*first]
    while waiting:
        name = waiting.pop()
        if name in trees or name not in modules:
            continue
        try:
            trees[name] = tree = ast.parse(modules[name])
        except SyntaxError:  # nothing has imported it, or the app would not be here
            continue
        for node in ast.walk(tree):
            for below in ast.iter_child_nodes(node):
                below.above = node  # type: ignore[attr-defined]
        package = name if _is_package(name, modules) else name.rpartition(".")[0]
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                waiting += (part for name in node.names for part in _parents(name.name))
            elif isinstance(node, ast.ImportFrom):
                above = package.split(".")[: len(package.split(".")) + 1 - node.level]
                origin = ".".join([*above, *filter(None, [node.module])] if node.level else [])
                origin = origin or node.module or ""
                waiting += _parents(origin)
                waiting += (f"{origin}.{name.name}".lstrip(".") for name in node.names)
    return trees


def _is_package(name: str, modules: Mapping[str, str]) -> bool:
    return any(module.startswith(f"{name}.") for module in modules)


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:number]) for number in range(1, len(parts) + 1)]


class AppCode:
    """The app's own modules, by what they define.

    Args:
        modules: by name.
        handlers: names of handlers, by those of their functions.
    """

    def __init__(self, modules: Mapping[str, ast.Module], handlers: Mapping[str, str]) -> None:
        self.handlers = handlers
        self.definitions: dict[str, list[_Definition]] = {}
        self.constants: dict[str, set[str]] = {}
        self.foreign: dict[str, str] = {}
        self.start: list[_Definition] = []
        self.clients = {"client", "async_client"}
        self.modules = modules
        for name, tree in modules.items():
            self._read(name, tree)

    def _read(self, module: str, tree: ast.Module) -> None:
        tops = {module.partition(".")[0] for module in self.modules}
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self._define(module, node)
            elif isinstance(node, ast.ClassDef):
                self.definitions.setdefault(node.name, []).append(_Definition(module, node))
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self._import(node, tops)
        for statement in tree.body:
            self._bind(module, statement)

    def _define(self, module: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        definition = _Definition(module, node)
        self.definitions.setdefault(node.name, []).append(definition)
        if node.returns is not None and "Client" in ast.unparse(node.returns):
            self.clients.add(node.name)
        self.clients.update(
            arg.arg
            for arg in _arguments(node)
            if arg.annotation is not None and "Client" in ast.unparse(arg.annotation)
        )
        if any(isinstance(d, ast.Attribute) and d.attr == "warm" for d in node.decorator_list):
            self.start.append(definition)

    def _import(self, node: ast.Import | ast.ImportFrom, tops: set[str]) -> None:
        """Note what comes from libraries that are neither Python's nor leeward's."""
        for alias in node.names:
            whole = (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
            top = whole.partition(".")[0]
            is_relative = isinstance(node, ast.ImportFrom) and node.level > 0
            if alias.name == "schedule_backup":
                continue  # it takes a client for handlers of its own, and says their rights
            if not is_relative and top not in (*tops, *_OWN) and top not in sys.stdlib_module_names:
                self.foreign[(alias.asname or alias.name).partition(".")[0]] = top

    def _bind(self, module: str, statement: ast.stmt) -> None:
        """Note a binding of a module by its name; other statements run when it is imported."""
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return
        if isinstance(statement, ast.If) and "__main__" in ast.unparse(statement.test):
            return
        targets = (
            statement.targets
            if isinstance(statement, ast.Assign)
            else [statement.target]
            if isinstance(statement, ast.AnnAssign)
            else []
        )
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if not names:
            self.start.append(_Definition(module, statement))
        for name in names:
            self.definitions.setdefault(name, []).append(_Definition(module, statement))
            value = getattr(statement, "value", None)
            texts = _texts_of(value)
            if texts is None:
                # Bound to something else besides: not a constant.
                self.constants.pop(name, None)
                self.clients |= {name} if _makes_client(value, self.clients) else set()
            elif len(self.definitions[name]) == 1:
                self.constants[name] = texts


class Uses:
    """What a handler uses, as its code shows it.

    Args:
        code: of the app.
        handler: of it; None for what is made before one runs.
    """

    def __init__(self, code: AppCode, handler: Handler | None) -> None:
        self._code = code
        self._handler = handler
        self._reached: list[_Definition] = []
        self.names: dict[str, set[str]] = {}
        self.unknown: dict[str, str] = {}
        self.notes: list[str] = []

    def look(self) -> None:
        """Look at everything that the handler may reach."""
        first: list[_Definition] = []
        if self._handler is not None:
            function = inspect.unwrap(self._handler.function)
            same = self._code.definitions.get(function.__name__, ())
            first = [definition for definition in same if definition.module == function.__module__]
            if not first:
                self._all_unknown(f"its code is that of {function.__module__}, and not of the app")
                return
        self._reach([*first, *self._code.start])
        for definition in self._reached:
            self._look_at(definition)

    def _all_unknown(self, where: str) -> None:
        for right in SECTIONS:
            self.unknown.setdefault(right, where)

    def _reach(self, first: list[_Definition]) -> None:
        waiting, seen = list(first), {id(start.node) for start in first}
        while waiting:
            definition = waiting.pop()
            self._reached.append(definition)
            for node in ast.walk(definition.node):
                name = _name_of(node) or _name_in_text(node)
                for target in self._code.definitions.get(name, ()) if name else ():
                    if id(target.node) not in seen:
                        seen.add(id(target.node))
                        waiting.append(target)

    def _look_at(self, definition: _Definition) -> None:
        for node, scopes in _with_scopes(definition.node):
            if isinstance(node, ast.Call):
                self._look_at_call(definition, node, scopes)
            elif isinstance(node, ast.Attribute) and node.attr in VERBS and not _is_called(node):
                _, right = VERBS[node.attr]
                self._unknown(right, definition, node, f"{node.attr} is passed on")

    def _look_at_call(
        self, definition: _Definition, call: ast.Call, scopes: tuple[_Scope, ...]
    ) -> None:
        name = _name_of(call.func)
        if name in VERBS and isinstance(call.func, ast.Attribute):
            argument, right = VERBS[name]
            value = _argument(call, argument, _LATER.get(name, 0))
            texts = None if value is None else self._texts(value, scopes, set())
            if texts is None:
                self._unknown(right, definition, call, f"the {argument} of {name}() does not show")
            else:
                self.names.setdefault(right, set()).update(texts)
        elif name == "native":
            line = f"{definition.module}, line {call.lineno}"
            self.notes.append(f"calls native() ({line}), for which leeward gives no right")
        elif name in _DYNAMIC or (name in _BY_TEXT and not _name_in_text(call)):
            self._all_unknown(_at(definition, call, f"{name}() may call anything"))
        elif (verb := _name_in_text(call)) in VERBS:
            self._unknown(VERBS[verb][1], definition, call, f"{verb} is got by {name}()")
        elif _root(call.func) in self._code.foreign and self._passes_client(call):
            library = self._code.foreign[_root(call.func)]
            self._all_unknown(_at(definition, call, f"a client is passed on to {library}"))
        elif name not in self._code.definitions:
            for key in call.keywords:
                texts = self._texts(key.value, scopes, set()) if key.arg in _ARGUMENTS else None
                if texts is not None:
                    self.names.setdefault(_ARGUMENTS[str(key.arg)], set()).update(texts)

    def _passes_client(self, call: ast.Call) -> bool:
        arguments = (*call.args, *(key.value for key in call.keywords))
        return any(_makes_client(argument, self._code.clients) for argument in arguments)

    def _unknown(self, right: str, definition: _Definition, node: ast.expr, what: str) -> None:
        self.unknown.setdefault(right, _at(definition, node, what))

    def _texts(
        self, value: ast.expr, scopes: tuple[_Scope, ...], seen: set[tuple[int, str]]
    ) -> set[str] | None:
        """Return what a value may be; None if the code does not show it."""
        texts = _texts_of(value)
        if texts is not None:
            return texts
        if isinstance(value, ast.IfExp):
            return _both(
                self._texts(value.body, scopes, seen), self._texts(value.orelse, scopes, seen)
            )
        if isinstance(value, ast.Attribute):
            bucket = None if self._handler is None else self._handler.bucket
            if bucket and value.attr == "bucket" and self._is_event(value.value, scopes):
                return {bucket}
            return self._code.constants.get(value.attr)
        if not isinstance(value, ast.Name):
            return None
        return self._look_up(value, scopes, seen)

    def _look_up(
        self, value: ast.Name, scopes: tuple[_Scope, ...], seen: set[tuple[int, str]]
    ) -> set[str] | None:
        """Return the same of a name: what is bound to it here, what callers pass, a constant."""
        for place in reversed(scopes):
            bound = _bindings(place, value.id)
            if value.id in _parameters(place):
                return None if bound else self._look_at_callers(place, value.id, seen)
            if bound:
                texts: set[str] | None = set()
                for binding in bound:
                    more = None if binding is None else self._texts(binding, scopes, seen)
                    texts = _both(texts, more)
                return texts
        if value.id in self._code.handlers and value.id not in self._code.constants:
            return {self._code.handlers[value.id]}
        return self._code.constants.get(value.id)

    def _is_event(self, value: ast.expr, scopes: tuple[_Scope, ...]) -> bool:
        """Return whether a value is a parameter with what arrived in the handler's bucket."""
        for place in scopes:
            for arg in _arguments(place):
                if isinstance(value, ast.Name) and arg.arg == value.id and arg.annotation:
                    return ast.unparse(arg.annotation).rpartition(".")[2] == "ObjectEvent"
        return False

    def _look_at_callers(
        self, place: _Scope, name: str, seen: set[tuple[int, str]]
    ) -> set[str] | None:
        """Return what callers pass for a parameter; None if that does not show."""
        if isinstance(place, ast.Lambda) or (id(place), name) in seen:
            return set() if not isinstance(place, ast.Lambda) else None
        seen = seen | {(id(place), name)}
        texts: set[str] | None = set()
        for definition in self._reached:
            for node, scopes in _with_scopes(definition.node):
                if _name_of(node) != place.name or _is_shadowed(node, scopes):
                    continue
                call = _call_of(node)
                argument = None if call is None else _given_for(place, name, call)
                texts = _both(
                    texts, None if argument is None else self._texts(argument, scopes, seen)
                )
        return texts or None


def _both(one: set[str] | None, other: set[str] | None) -> set[str] | None:
    return None if one is None or other is None else one | other


def _at(definition: _Definition, node: ast.expr, what: str) -> str:
    return f"{what} ({definition.module}, line {node.lineno})"


def _name_of(node: ast.AST) -> str:
    """Return the last name of what a node refers to; empty if it does not."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""


def _name_in_text(node: ast.AST) -> str:
    """Return the name that a call of `_BY_TEXT` has as a text; empty if none shows."""
    if not isinstance(node, ast.Call) or (name := _name_of(node.func)) not in _BY_TEXT:
        return ""
    arguments = node.args[_BY_TEXT[name] :]
    value = arguments[0].value if arguments and isinstance(arguments[0], ast.Constant) else ""
    return value if isinstance(value, str) else ""


def _makes_client(value: ast.AST | None, clients: set[str]) -> bool:
    """Return whether a value is a client, by the name of what it is or of what makes it."""
    name = _name_of(value.func if isinstance(value, ast.Call) else value) if value else ""
    return name in clients or name in ("Client", "AsyncClient")


def _texts_of(value: ast.AST | None) -> set[str] | None:
    """Return the texts of a literal, or of a list of some; None of anything else."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return {value.value}
    if isinstance(value, ast.Tuple | ast.List | ast.Set) and value.elts:
        texts = [_texts_of(element) for element in value.elts]
        return None if None in texts else set().union(*(text for text in texts if text))
    return None


def _argument(call: ast.Call, name: str, place: int) -> ast.expr | None:
    """Return an argument of a call, by its name or its place."""
    for key in call.keywords:
        if key.arg == name:
            return key.value
    before = call.args[: place + 1]
    starred = any(isinstance(argument, ast.Starred) for argument in before)
    return None if starred or len(call.args) <= place else call.args[place]


def _arguments(place: _Scope) -> list[ast.arg]:
    return [*place.args.posonlyargs, *place.args.args, *place.args.kwonlyargs]


def _parameters(place: _Scope) -> list[str]:
    more = [arg.arg for arg in (place.args.vararg, place.args.kwarg) if arg is not None]
    return [arg.arg for arg in _arguments(place)] + more


def _given_for(place: Any, name: str, call: ast.Call) -> ast.expr | None:
    """Return what a call passes for a parameter, its default included."""
    positional = [arg.arg for arg in (*place.args.posonlyargs, *place.args.args)]
    if positional[:1] in (["self"], ["cls"]):
        positional = positional[1:]
    number = positional.index(name) if name in positional else len(call.args)
    argument = _argument(call, name, number)
    if argument is not None or any(isinstance(arg, ast.Starred) for arg in call.args):
        return argument
    if any(key.arg is None for key in call.keywords):
        return None
    after = positional[len(positional) - len(place.args.defaults) :]
    defaults = dict(zip(after, place.args.defaults, strict=True))
    only = zip(place.args.kwonlyargs, place.args.kw_defaults, strict=True)
    return {**defaults, **{arg.arg: value for arg, value in only}}.get(name)


def _bindings(place: _Scope, name: str) -> list[ast.expr | None]:
    """Return what a function binds to a name; None for what is not a plain value."""
    values: list[ast.expr | None] = []
    for node in ast.walk(place):
        if isinstance(node, ast.Assign) and any(
            _name_of(target) == name for target in node.targets
        ):
            plain = all(isinstance(target, ast.Name) for target in node.targets)
            values.append(node.value if plain else None)
        elif isinstance(node, ast.For | ast.comprehension) and _name_of(node.target) == name:
            values.append(node.iter)
        elif (
            isinstance(node, ast.Name)
            and node.id == name
            and not isinstance(node.ctx, ast.Load)
            and not _is_plain_target(node)
        ):
            values.append(None)
    return values


def _is_shadowed(node: ast.AST, scopes: tuple[_Scope, ...]) -> bool:
    """Return whether a name is that of a parameter here, whatever a module defines."""
    return isinstance(node, ast.Name) and any(node.id in _parameters(scope) for scope in scopes)


def _is_plain_target(node: ast.AST) -> bool:
    above = getattr(node, "above", None)
    return isinstance(above, ast.Assign) or (
        isinstance(above, ast.For | ast.comprehension) and above.target is node
    )


def _is_called(node: ast.AST) -> bool:
    above = getattr(node, "above", None)
    return isinstance(above, ast.Call) and above.func is node


def _call_of(node: ast.AST) -> ast.Call | None:
    """Return the call of what a node names, or of `partial` with it in front."""
    above = getattr(node, "above", None)
    if not isinstance(above, ast.Call):
        return None
    if above.func is node:
        return above
    if _name_of(above.func) == "partial" and above.args[:1] == [node]:
        return ast.Call(above.func, above.args[1:], above.keywords)
    return None


def _with_scopes(node: ast.AST) -> Iterator[tuple[ast.AST, tuple[_Scope, ...]]]:
    """Yield a node and all below it, each with the functions that it is in."""
    waiting: list[tuple[ast.AST, tuple[_Scope, ...]]] = [(node, ())]
    while waiting:
        current, scopes = waiting.pop()
        yield current, scopes
        inner = (*scopes, current) if isinstance(current, _Scope) else scopes
        for child in ast.iter_child_nodes(current):
            waiting.append((child, inner))
