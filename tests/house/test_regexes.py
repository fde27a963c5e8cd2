"""No pattern of the house can take longer than its text: a mistyped URL must not stop a process.

A repetition whose body holds another one is read in many ways, exponentially many in the length
of the text, unless each turn begins or ends with a character that the inner one cannot take.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from leeward.adapter.hosts import PATH, url_of
from tests.house.workspace import members

PARSER: Any = re._parser  # type: ignore[attr-defined]

SOURCES = [member / "src" for member in members() if "examples" not in member.parts]

TAKERS = {"compile", "fullmatch", "match", "search", "split", "sub", "findall", "finditer"}
"""Functions of `re` whose first argument is a pattern; `matching` is leeward's own."""

CHARACTERS = [chr(code) for code in range(256)]


class Names(Mapping[str, Any]):
    """What names mean at a call: in the module, in the function around it, or any text at all."""

    def __init__(self, module: Mapping[str, Any], assigned: Mapping[str, ast.expr]) -> None:
        self.module, self.assigned = module, assigned

    def __getitem__(self, name: str) -> Any:
        if name in self.assigned:
            return self.value(self.assigned[name])
        return self.module[name] if name in self.module else vars(re).get(name, "x")

    def value(self, expression: ast.expr) -> Any:
        code = compile(ast.Expression(expression), "pattern", "eval")
        return eval(code, {"__builtins__": {}}, self)

    def __iter__(self) -> Iterator[str]:
        return iter(self.module)

    def __len__(self) -> int:
        return len(self.module)


def patterns_in(file: Path, source: Path) -> Iterator[tuple[str, str]]:
    """Give each pattern of a module, with its place."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    calls: dict[ast.Call, ast.AST] = {
        call: tree for call in ast.walk(tree) if isinstance(call, ast.Call)
    }
    functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)]
    calls |= {call: f for f in functions for call in ast.walk(f) if isinstance(call, ast.Call)}
    taking = [call for call in calls if _takes_pattern(call.func)]
    if not taking:
        return
    name = ".".join(file.relative_to(source).with_suffix("").parts).removesuffix(".__init__")
    module = vars(import_module(name))
    for call in taking:
        around = calls[call]
        assigned = {
            each.targets[0].id: each.value
            for each in ast.walk(around)
            if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name)
        }
        found = Names(module, assigned if around is not tree else {}).value(call.args[0])
        yield f"{name}:{call.lineno}", found if isinstance(found, str) else found.decode("latin-1")


def _takes_pattern(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return function.value.id == "re" and function.attr in TAKERS
    return isinstance(function, ast.Name) and function.id == "matching"


def house() -> list[tuple[str, str]]:
    return [
        found
        for source in SOURCES
        for file in sorted(source.rglob("*.py"))
        for found in patterns_in(file, source)
    ]


def is_ambiguous(pattern: str) -> bool:
    """Return whether a repetition in `pattern` can take the same text in several turns."""
    return any(_loops(PARSER.parse(pattern)))


def _loops(items: Any) -> Iterator[bool]:
    for name, argument in items:
        op = str(name)
        if op in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            _, most, body = argument
            if most > 1:
                yield any(not _is_separated(branch) for branch in _branches(list(body)))
            yield from _loops(body)
        elif op == "BRANCH":
            for branch in argument[1]:
                yield from _loops(branch)
        elif op == "SUBPATTERN":
            yield from _loops(argument[-1])
        elif op in ("ASSERT", "ASSERT_NOT"):
            yield from _loops(argument[1])


def _branches(items: list[Any]) -> Iterator[list[Any]]:
    """Give the body of a repetition as rows of simple items, with its groups taken apart."""
    for index, (name, argument) in enumerate(items):
        if str(name) == "SUBPATTERN":
            return (yield from _branches([*items[:index], *argument[-1], *items[index + 1 :]]))
        if str(name) == "BRANCH":
            for branch in argument[1]:
                yield from _branches([*items[:index], *branch, *items[index + 1 :]])
            return None
    yield [item for item in items if str(item[0]) not in ("ASSERT", "ASSERT_NOT", "AT")]


def _is_separated(items: list[Any]) -> bool:
    """Return whether nothing in a turn varies, or its first or last character sets it apart."""
    varying: set[str] = set()
    for name, argument in items:
        if str(name).endswith("REPEAT") and argument[0] != argument[1]:
            varying |= _taken(argument[2])
    ends = [_taken([item]) for item in (items[0], items[-1]) if not str(item[0]).endswith("REPEAT")]
    return not varying or any(not end & varying for end in ends)


def _taken(items: Any) -> set[str]:
    """Return the characters that can stand somewhere in a text of these items."""
    found: set[str] = set()
    for name, argument in items:
        op = str(name)
        if op.endswith("REPEAT"):
            found |= _taken(argument[2])
        elif op == "SUBPATTERN":
            found |= _taken(argument[-1])
        elif op == "BRANCH":
            for branch in argument[1]:
                found |= _taken(branch)
        elif op not in ("ASSERT", "ASSERT_NOT", "AT"):
            found |= {each for each in CHARACTERS if _takes(op, argument, each)}
    return found


def _takes(op: str, argument: Any, character: str) -> bool:
    code = ord(character)
    if op in ("LITERAL", "NOT_LITERAL"):
        return bool(argument == code) == (op == "LITERAL")
    if op == "RANGE":
        return bool(argument[0] <= code <= argument[1])
    if op == "CATEGORY":
        word = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}[str(argument).rpartition("_")[2]]
        return (re.match(word, character) is not None) != ("NOT" in str(argument))
    if op == "IN":
        negated = str(argument[0][0]) == "NEGATE"
        inside = any(_takes(str(name), each, character) for name, each in argument[negated:])
        return inside != negated
    assert op == "ANY", op
    return True


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+b", r"(?:a*)*", r"(?:[a-z]+-?)*", r"(?:(?:a|b)+)*", r"(\w+\d)*", r"(?:a?b?)*",
        r"(https?://[^/]+)(/(?:(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+/?)*)?",
    ],
)  # fmt: skip
def test_the_search_knows_a_trap(pattern: str) -> None:
    """Also the one that a URL of Google's functions once was read by."""
    assert is_ambiguous(pattern)


@pytest.mark.parametrize("pattern", [r"(?:/[a-z]+)*", r"(?:[a-z]+\.)*x", r"(?:ab)+", r"[a-z]*1"])
def test_the_search_lets_what_is_sound_pass(pattern: str) -> None:
    """A repetition of fixed length, or one that a character of its own sets apart."""
    assert not is_ambiguous(pattern)


@pytest.mark.row(5)
@pytest.mark.threat("S19")
def test_no_pattern_of_the_house_is_a_trap() -> None:
    """Every one that is handed to `re` or to `matching`, in the core and in the adapters."""
    found = house()
    assert len(found) > 60
    assert [place for place, pattern in found if is_ambiguous(pattern)] == []


@pytest.mark.parametrize("end", ["", "!", "{", "/..", "\n"])
@pytest.mark.row(5)
@pytest.mark.threat("S19")
def test_a_long_url_is_read_at_once(end: str) -> None:
    """One of 100,000 letters, good or mistyped: what is no trap needs no clock to show it."""
    text = f"https://{'a' * 100_000}/{'a' * 100_000}{end}"
    assert (url_of(text) is None) == (end == "\n")
    path = text.partition("/a")[2]
    assert (re.fullmatch(PATH, path) is None) == bool(end)
