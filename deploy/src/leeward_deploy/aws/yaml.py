"""A template of CloudFormation as the YAML that people read and merge.

Only what a template has: mappings, lists, texts, numbers, and CloudFormation's own functions in
their short form. A text that YAML could read as anything else stands in quotation marks.

Source: "YAML Ain't Markup Language, version 1.2", 5.7 and 7.3; the intrinsic function reference of
CloudFormation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

_WORD: Final = re.compile(r"[A-Za-z0-9_./+-]+")

_FIRST: Final = re.compile(r"[A-Za-z_/]")

_OTHERWISE: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
"""Words that YAML, in one of its versions, takes for something else than a text."""

_WIDTH: Final = 90
"""Characters of a line, up to which a list of words stands in it."""


def write(document: Mapping[str, Any], heading: Callable[[str], str]) -> str:
    """Return a template as a text.

    Args:
        document: the template.
        heading: of the part that a resource belongs to, by its logical id; it becomes a comment
            where it changes.
    """
    lines: list[str] = []
    for section, content in document.items():
        lines += ["", *_entry(section, content, "")] if section != "Resources" else []
        if section == "Resources":
            lines += ["", "Resources:"]
            last = ""
            for id, each in content.items():
                now = heading(id)
                lines += ["", f"  # {now}", ""] if now != last else []
                last = now
                lines += _entry(id, each, "  ")
    return "\n".join(lines).lstrip("\n") + "\n"


def _entry(name: str, value: Any, indent: str) -> Iterator[str]:
    """Yield the lines of an entry of a mapping."""
    yield from _write_value(f"{indent}{_scalar(name)}:", value, indent)


def _write_value(head: str, value: Any, indent: str) -> Iterator[str]:
    """Yield what has a head, and the value behind or below it."""
    tag, inner = _function(value)
    head = f"{head} {tag}" if tag else head
    short = _inline_text(inner)
    if short is not None:
        yield f"{head} {short}"
    elif isinstance(inner, dict):
        yield head
        for name, each in inner.items():
            yield from _entry(name, each, f"{indent}  ")
    else:
        yield head
        yield from _items(inner, f"{indent}  ")


def _items(values: list[Any], indent: str) -> Iterator[str]:
    for each in values:
        if isinstance(each, dict) and each and not _function(each)[0]:
            lines = [
                line for name, one in each.items() for line in _entry(name, one, f"{indent}  ")
            ]
            yield f"{indent}- {lines[0].lstrip()}"
            yield from lines[1:]
        else:
            yield from _write_value(f"{indent}-", each, indent)


def _function(value: Any) -> tuple[str, Any]:
    """Return the tag of one of CloudFormation's functions, and its argument."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, inner),) = value.items()
        if name == "Ref":
            return "!Ref", inner
        if name == "Fn::GetAtt":
            return "!GetAtt", ".".join(inner)
        if name.startswith("Fn::"):
            return f"!{name[4:]}", inner
    return "", value


def _inline_text(value: Any) -> str | None:
    """Return what stands in a line; None for what has to stand below it."""
    if isinstance(value, list):
        parts = [_in_line_with_tag(each) for each in value]
        if None in parts:
            return None
        text = f"[{', '.join(part for part in parts if part)}]"
        return text if len(text) <= _WIDTH else None
    if isinstance(value, dict):
        return None if value else "{}"
    return _scalar(value)


def _in_line_with_tag(value: Any) -> str | None:
    tag, inner = _function(value)
    text = _inline_text(inner)
    return text if text is None or not tag else f"{tag} {text}"


def _scalar(value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    is_plain = _FIRST.match(value) and all(map(_is_word, value.split(" ")))
    if is_plain and value.lower() not in _OTHERWISE:
        return value
    if '"' in value and "'" not in value and value.isascii() and value.isprintable():
        return f"'{value}'"
    return json.dumps(value)


def _is_word(text: str) -> bool:
    """Return whether a text has nothing that YAML reads otherwise; a colon stands inside."""
    inner = text.replace(":", "x") if text and text[-1] != ":" and text[0] not in ":-" else text
    return bool(_WORD.fullmatch(inner))
