"""What a planted fault is: an edit of a function's tree, which no rename or new layout breaks.

A fault names a place and two pieces of code, `old` and `new`. In the pieces

- ``...`` stands for any expression or any run of statements, and keeps what stands there: the first
  one of `new` is what the first one of `old` has found, and so on;
- a name that is local to the function stands for itself by whatever name it has now;
- `old` that is one string is looked for inside the strings of the place.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any, Final, NamedTuple

Function = ast.FunctionDef | ast.AsyncFunctionDef

_IGNORED: Final = frozenset(("ctx", "kind", "type_comment"))


class Mutant(NamedTuple):
    """One fault, planted by replacing code at one place.

    Attributes:
        fault: what leeward then does wrong.
        place: path from the root, and behind a space the function or class; the module without one.
        old: code that stands there exactly once.
        new: the code in its place; several statements, too.
        test: the node id, as pytest has it, of the test that must fail.
    """

    fault: str
    place: str
    old: str
    new: str
    test: str

    @property
    def file(self) -> str:
        """The path from the root of the project."""
        return self.place.partition(" ")[0]

    def plant(self, text: str) -> str:
        """Return the content of the file with the fault in it; comments are lost.

        Raises:
            ValueError: the fault does not fit: `old` does not stand there exactly once.
        """
        tree = ast.parse(text)
        scope = _scope_of(tree, self.place.partition(" ")[2])
        found = list(_find(_Edit(tree, self.old, self.new), scope))
        if len(found) != 1:
            raise ValueError(f"{self.place} has {self.old!r} {len(found)} times, not once")
        owner, field, content = found[0]
        setattr(owner, field, content)
        return ast.unparse(tree)

    def check(self, root: Path) -> None:
        """Raise `ValueError` if the fault does not fit what is at `root`, or its test is gone."""
        compile(self.plant((root / self.file).read_text(encoding="utf-8")), self.file, "exec")
        path, *names = self.test.partition("[")[0].split("::")
        text = (root / path).read_text(encoding="utf-8")
        for name in names:
            if not (f" {name}(" in text or f" {name}:" in text):
                raise ValueError(f"{path} has no {name}")
            # A class may have its tests from one beside it.
            text = "".join(
                each.read_text(encoding="utf-8") for each in (root / path).parent.glob("*.py")
            )


class _Found(NamedTuple):
    """What a piece of code has met: local names by those of the piece, and what ``...`` holds."""

    names: tuple[tuple[str, str], ...] = ()
    kept: tuple[Any, ...] = ()


class _Edit:
    """The two pieces of a fault, and which names are local where it is planted."""

    def __init__(self, tree: ast.Module, old: str, new: str) -> None:
        self.old: list[Any] = ast.parse(dedent(old)).body
        self.new: list[Any] = ast.parse(dedent(new)).body
        self.is_expression = all(
            len(each) == 1 and isinstance(each[0], ast.Expr) for each in (self.old, self.new)
        )
        self.locals = local_names(tree)
        self.fixed = {"self", "cls", *names_of_module(tree)}

    def match(self, old: Any, node: Any, found: _Found) -> _Found | None:
        """Return what a piece has met at a node, or None if it is another one."""
        if isinstance(old, list):
            return self._match_all(old, node, found) if isinstance(node, list) else None
        if _is_any(old) and isinstance(node, ast.expr):
            return found._replace(kept=(*found.kept, node))
        if type(old) is not type(node):
            return None
        if not isinstance(old, ast.AST):
            return found if old == node else None
        for field in old._fields:
            mine, its = getattr(old, field, None), getattr(node, field, None)
            if field in _IGNORED:
                continue
            is_name = field in ("id", "name", "arg") and not isinstance(old, ast.keyword)
            if is_name and isinstance(mine, str) and isinstance(its, str):
                met = self._match_name(mine, its, found)
            else:
                met = self.match(mine, its, found)
            if met is None:
                return None
            found = met
        return found

    def _match_name(self, mine: str, its: str, found: _Found) -> _Found | None:
        if mine in self.fixed or its not in self.locals:
            return found if mine == its else None
        if all((mine == a) == (its == b) for a, b in found.names):
            return found._replace(names=(*found.names, (mine, its)))
        return None

    def _match_all(self, old: list[Any], nodes: list[Any], found: _Found) -> _Found | None:
        if not old:
            return found if not nodes else None
        if isinstance(old[0], ast.Expr) and _is_any(old[0].value):
            for end in range(len(nodes), -1, -1):
                met = self._match_all(
                    old[1:], nodes[end:], found._replace(kept=(*found.kept, nodes[:end]))
                )
                if met is not None:
                    return met
            return None
        met = self.match(old[0], nodes[0], found) if nodes else None
        return met and self._match_all(old[1:], nodes[1:], met)

    def result(self, found: _Found) -> list[Any]:
        """Return the new statements, with the names and the kept parts of what was found."""
        filled = _Fill(found).visit(ast.parse(ast.unparse(ast.Module(self.new, []))))
        return list(filled.body)


class _Fill(ast.NodeTransformer):
    """Puts what was found into the new piece."""

    def __init__(self, found: _Found) -> None:
        self._names, self._kept = dict(found.names), list(found.kept)

    def visit_Expr(self, node: ast.Expr) -> Any:
        if _is_any(node.value) and self._kept and isinstance(self._kept[0], list):
            return self._kept.pop(0)
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> Any:
        return self._kept.pop(0) if _is_any(node) and self._kept else node

    def visit_Name(self, node: ast.Name) -> Any:
        node.id = self._names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> Any:
        node.arg = self._names.get(node.arg, node.arg)
        return self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> Any:
        node.name = node.name and self._names.get(node.name, node.name)
        return self.generic_visit(node)


def local_names(tree: ast.AST) -> set[str]:
    """Return the names that the functions of a module give to arguments and variables."""
    names: set[str] = set()
    functions = [node for node in ast.walk(tree) if isinstance(node, Function | ast.Lambda)]
    for node in [each for function in functions for each in ast.walk(function)]:
        if isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            names.add(node.name)
    return names - {"self", "cls"}


def names_of_module(tree: ast.Module) -> set[str]:
    """Return what a module imports, defines and assigns, and what Python has built in."""
    names = set(dir(builtins))
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef):
            names.add(node.name)
            continue
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                names.add(inner.id)
            elif isinstance(inner, ast.alias):
                names.add((inner.asname or inner.name).partition(".")[0])
    return names


def _scope_of(tree: ast.Module, name: str) -> ast.AST:
    scope: ast.AST = tree
    for part in name.split(".") if name else ():
        inside = [
            node
            for node in ast.walk(scope)
            if isinstance(node, Function | ast.ClassDef) and node.name == part and node is not scope
        ]
        if not inside:
            raise ValueError(f"there is no {name}")
        scope = inside[0]
    return scope


def _find(edit: _Edit, scope: ast.AST) -> Iterator[tuple[ast.AST, str, Any]]:
    """Yield what each place becomes where the old piece stands: a node, a field, its content."""
    find = _find_statements
    if edit.is_expression:
        ends = (edit.old[0].value, edit.new[0].value)
        is_text = all(isinstance(each, ast.Constant) and type(each.value) is str for each in ends)
        find = _find_text if is_text else _find_expressions
    for owner in ast.walk(scope):
        for field, content in ast.iter_fields(owner):
            for changed in find(edit, content):
                yield owner, field, changed


def _find_text(edit: _Edit, content: Any) -> Iterator[Any]:
    old, new = edit.old[0].value.value, edit.new[0].value.value
    if isinstance(content, str):
        yield from [content.replace(old, new)] * content.count(old)


def _find_expressions(edit: _Edit, content: Any) -> Iterator[Any]:
    nodes = content if isinstance(content, list) else [content]
    for at, node in enumerate(nodes):
        met = edit.match(edit.old[0].value, node, _Found())
        if met is not None and isinstance(node, ast.expr):
            new = edit.result(met)[0].value
            yield [*nodes[:at], new, *nodes[at + 1 :]] if nodes is content else new


def _find_statements(edit: _Edit, content: Any) -> Iterator[Any]:
    if isinstance(content, list) and content and isinstance(content[0], ast.stmt):
        for at in range(len(content)):
            end = at + len(edit.old)
            met = edit.match(edit.old, content[at:end], _Found())
            if met is not None:
                yield [*content[:at], *edit.result(met), *content[end:]]


def _is_any(node: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...
