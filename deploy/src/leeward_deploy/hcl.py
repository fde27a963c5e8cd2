"""Terraform's own language: the files of a module, as ``terraform fmt`` has them.

A text of the configuration is a template, as in Terraform's JSON: ``${...}`` stands in it for a
reference, and ``$${`` for itself.

Sources: "Native Syntax Specification" of HCL; "Style Conventions" and "JSON Configuration Syntax"
in Terraform's documentation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any, Final

from leeward.errors import ConfigError
from leeward.values import NOTHING
from leeward_deploy.recipe import Template

COMMENT: Final = "//"
"""The name of a comment in Terraform's JSON, which stands before its block here."""

WIDTH: Final = 100
"""Columns of a line, as far as a list can be broken."""

SHORT: Final = 2
"""Values of an object within another value that stands in one line."""

MAIN: Final = "main.tf"
"""Resources of types that a layout does not name."""

BY_KIND: Final = {
    "terraform": "versions.tf",
    "provider": "versions.tf",
    "variable": "variables.tf",
    "output": "outputs.tf",
    "locals": MAIN,
    "data": MAIN,
}
"""Where blocks stand that are no resources."""

_EXPRESSIONS: Final = frozenset(
    {"depends_on", "ignore_changes", "provider", "replace_triggered_by"}
)
"""Arguments that name things: a text there is a reference, and no template."""

_CONSTRAINTS: Final = re.compile(r"(?:string|number|bool|any|list|set|map|object|tuple|optional)\b")

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

_KEYWORDS: Final = frozenset({"for", "if", "in", "null", "true", "false"})

_SPECIAL: Final = re.compile(r'[\\"\x00-\x1f\x7f\u2028\u2029\ufeff\ud800-\udfff]')

_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}

_NESTED: Final = {
    "validation": {},
    "lifecycle": {"precondition": [{}], "postcondition": [{}]},
}
"""Blocks that are Terraform's own."""

Lines = list[str]


def module(
    document: Mapping[str, Any],
    schemas: Mapping[str, Mapping[str, Any]],
    layout: Mapping[str, str],
    heads: Mapping[str, str] = NOTHING,
) -> tuple[Template, ...]:
    """Return the files of a module.

    Args:
        document: as Terraform's JSON has it.
        schemas: of its resources: they say which arguments are blocks.
        layout: the name of the file of each type of resource.
        heads: what each file says of itself, by its name.

    Raises:
        ConfigError: a text has an expression that does not end.
    """
    files: dict[str, list[Lines]] = {}
    for kind, name, block in _blocks(document, schemas):
        file = layout.get(name, MAIN) if kind == "resource" else BY_KIND[kind]
        files.setdefault(file, []).append(block)
    first = document
    templates = []
    for name in sorted(files):
        head = _comment(heads.get(name, ""), "")
        parts = [*([head] if head else []), *files[name]]
        text = "\n\n".join("\n".join(part) for part in parts) + "\n"
        templates.append(Template(name, text, (), first))
        first = NOTHING
    return tuple(templates)


def _blocks(
    document: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str, Lines]]:
    """Yield the blocks of a configuration: of each its kind, its type or name, and its lines."""
    for kind, found in document.items():
        if kind == "terraform":
            yield kind, "", _block("terraform", found, {"required_providers": {}}, "")
        elif kind == "locals":
            yield kind, "", _block("locals", found, {}, "")
        elif kind == "provider":
            for name, body in found.items():
                yield kind, name, _block(f'provider "{name}"', body, _shape_of(body), "")
        elif kind in ("variable", "output"):
            for name, body in found.items():
                yield kind, name, _block(f'{kind} "{name}"', _of_variable(body), _NESTED, "")
        else:
            for type, named in found.items():
                for name, body in named.items():
                    head = f'{kind} "{type}" "{name}"'
                    schema = {**schemas.get(type, {}), **_NESTED}
                    yield kind, type, _block(head, body, schema, "")


def _shape_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema in which all that looks like a block is one."""
    return {name: {} for name, value in body.items() if isinstance(value, dict)}


class _Bare(str):
    """A text that is an expression."""

    __slots__ = ()


def _of_variable(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a variable, in the usual order, with its type as an expression."""
    type = body.get("type")
    if not isinstance(type, str) or not _CONSTRAINTS.match(type):
        return {**body}
    first = {name: body[name] for name in (COMMENT, "description") if name in body}
    rest = {name: value for name, value in body.items() if name not in {*first, "type"}}
    return {**first, "type": _Bare(type), **rest}


def _block(head: str, body: Mapping[str, Any], schema: Mapping[str, Any], indent: str) -> Lines:
    """Return the lines of a block: its arguments first, then the blocks in it."""
    lines = _comment(str(body.get(COMMENT, "")), indent)
    inner = indent + "  "
    kinds = {name.rstrip("!"): kind for name, kind in schema.items()}
    arguments, blocks, last = [], [], []
    for name, value in body.items():
        if name == COMMENT or value is None:
            continue
        nested = _nested(kinds.get(name), value)
        if name == "dynamic":
            blocks += [
                (f'dynamic "{label}"', each, {"content": kinds.get(label, {})})
                for label, each in value.items()
            ]
        elif nested is None:
            group = last if name == "depends_on" else arguments
            group.append((name, value))
        else:
            shape = nested[1]
            blocks += [(name, each, shape) for each in nested[0]]
    body_lines = _arguments(arguments, inner)
    for name, each, shape in blocks:
        own = _block(name, each, shape, inner)
        body_lines += ["", *own] if body_lines else own
    if last:
        body_lines += ["", *_arguments(last, inner)] if body_lines else _arguments(last, inner)
    if not body_lines:
        return [*lines, f"{indent}{head} {{}}"]
    return [*lines, f"{indent}{head} {{", *body_lines, f"{indent}}}"]


def _comment(text: str, indent: str) -> Lines:
    """Return the lines of a comment."""
    lines = wrap(text, WIDTH - len(indent) - 2, break_long_words=False, break_on_hyphens=False)
    return [f"{indent}# {line}" for line in lines]


def _nested(kind: Any, value: Any) -> tuple[list[Mapping[str, Any]], Mapping[str, Any]] | None:
    """Return the blocks that a value is, and their schema; None for an argument."""
    if isinstance(kind, list) and isinstance(kind[0], dict):
        kind = kind[0]
    if not isinstance(kind, dict) or isinstance(value, str):
        return None
    return (value if isinstance(value, list) else [value]), kind


def _arguments(
    arguments: list[tuple[str, Any]],
    indent: str,
    *,
    decodes: bool = True,
    is_inner: bool = False,
) -> Lines:
    """Return the lines of arguments; equals signs of those that follow each other are aligned."""
    found: Lines = []
    row: list[tuple[str, str]] = []

    def close() -> None:
        width = max((len(name) for name, _ in row), default=0)
        found.extend(f"{indent}{name:<{width}} = {value}" for name, value in row)
        row.clear()

    for name, value in arguments:
        key = name if _IDENTIFIER.fullmatch(name) and name not in _KEYWORDS else _quote(name)
        room = WIDTH - len(indent) - len(key) - 3
        first, *more = _value(
            _references(value) if name in _EXPRESSIONS else value,
            indent,
            room,
            decodes=decodes,
            is_inner=is_inner,
        )
        if more:
            close()
            found += [f"{indent}{key} = {first}", *more]
        else:
            row.append((key, first))
    close()
    return found


def _references(value: Any) -> Any:
    """Return what names things as expressions."""
    return [_Bare(each) for each in value] if isinstance(value, list) else _Bare(value)


def _value(
    value: Any, indent: str, room: int, *, decodes: bool = True, is_inner: bool = False
) -> Lines:
    """Return the lines of an expression; those behind the first one have their indent.

    Args:
        value: of the expression.
        indent: of its first line.
        room: columns that are left in it.
        decodes: a text of JSON is written as what it has; one within JSON stays as it is.
        is_inner: it is within another value, where a short object stands in one line.
    """
    if isinstance(value, dict):
        if not value:
            return ["{}"]
        inner = _arguments([*value.items()], indent + "  ", decodes=decodes, is_inner=True)
        line = f"{{ {', '.join(re.sub(' += ', ' = ', each.strip(), count=1) for each in inner)} }}"
        if is_inner and len(inner) == len(value) <= SHORT and len(line) <= room:
            return [line]
        return ["{", *inner, f"{indent}}}"]
    if isinstance(value, list | tuple):
        return _list(value, indent, room, decodes=decodes)
    data = _json_in(value) if decodes else None
    if data is None:
        return [_simple(value)]
    lines = _value(data, indent, room, decodes=False)
    lines[0] = f"jsonencode({lines[0]}"
    lines[-1] += ")"
    return lines


def _list(values: Any, indent: str, room: int, *, decodes: bool) -> Lines:
    """Return the lines of a list: one, if it is short and has nothing but simple values."""
    inner = indent + "  "
    parts = [_value(each, inner, WIDTH - len(inner), decodes=decodes) for each in values]
    line = ", ".join(first for first, *_ in parts)
    if all(len(part) == 1 for part in parts) and (len(line) + 2 <= room or len(parts) < 2):
        return [f"[{line}]"]
    lines = ["["]
    for first, *more in parts:
        part = [f"{inner}{first}", *more]
        part[-1] += ","
        lines += part
    return [*lines, f"{indent}]"]


def _simple(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _Bare):
        return str(value)
    if isinstance(value, int | float):
        return json.dumps(value)
    parts = [*_parts(value)]
    if len(parts) == 1 and parts[0][1] and parts[0][0].startswith("${"):
        return parts[0][0][2:-1].strip()
    return _quote(value)


def _json_in(text: Any) -> Any:
    """Return what a text of JSON has; None for another text."""
    if not isinstance(text, str) or isinstance(text, _Bare) or not text.startswith(("{", "[{")):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if found and isinstance(found, dict | list) else None


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a template: of each its text, and whether it is a sequence like ``${x}``.

    Raises:
        ConfigError: a sequence does not end.
    """
    start = at = 0
    while at < len(text):
        if text.startswith(("$${", "%%{"), at):
            at += 3
        elif text.startswith(("${", "%{"), at):
            if at > start:
                yield text[start:at], False
            end = _end_of(text, at)
            yield text[at:end], True
            start = at = end
        else:
            at += 1
    if start < len(text):
        yield text[start:], False


def _end_of(text: str, at: int) -> int:
    """Return where a sequence ends that begins at a place.

    Raises:
        ConfigError: it does not end.
    """
    depth, place = 1, at + 2
    while place < len(text):
        if text[place] == '"':
            place = _end_of_quotes(text, place)
            continue
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        place += 1
        if not depth:
            return place
    raise ConfigError(f"the expression in {text!r} does not end; close it, or write $${{ for ${{")


def _end_of_quotes(text: str, at: int) -> int:
    """Return where a quoted text in a sequence ends; it may have sequences, too."""
    place = at + 1
    while place < len(text):
        if text[place] == '"':
            return place + 1
        if text.startswith(("$${", "%%{"), place):
            place += 3
        elif text.startswith(("${", "%{"), place):
            place = _end_of(text, place)
        else:
            place += 2 if text[place] == "\\" else 1
    return place


def _escape(text: str) -> str:
    """Return a part of a text as it stands between quotes."""
    return _SPECIAL.sub(lambda found: _NAMED.get(found[0]) or f"\\u{ord(found[0]):04x}", text)


def _quote(name: str) -> str:
    """Return a text between quotes."""
    parts = (text if is_sequence else _escape(text) for text, is_sequence in _parts(name))
    return f'"{"".join(parts)}"'
