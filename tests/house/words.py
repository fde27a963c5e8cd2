"""The words that the code and the pages do not use, and what to write instead.

The rules are in CONTRIBUTING.md, "Names and words"; the terms that leeward does use are in
docs/glossary.md. A word is here because a reader had to guess what it means, or because it had two
meanings in this project.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

_NOT_THERE: Final = r"(?<!there )"
"""``There is none`` is plain."""

WORDS: Final = {
    # Front Door is a product's name.
    r"(?<!front )doors?": "method, operation, endpoint or service",
    r"journeys?": "execution of a call",
    r"(?<!of )courses?": "run of a plan, execution of a call",
    r"forsakes?|forsook|forsaken": "close, drop",
    rf"{_NOT_THERE}(?:is|are|was|were) (?-i:none)": "is not a ...",
    r"(?-i:none) that": "not one that",
    rf"{_NOT_THERE}(?:is|are) no (?!(?:longer|more|less|different|other|two)\b)": "is not a ...",
    r"nobody's|everybody's|anybody's": "name who it belongs to",
    r"for want of": "because there is no",
    r"fates?": "result",
    r"let(?:s|ting)?(?: it| them)? rest": "gets no calls",
    r"lend(?:s|ing|able)?|lent|borrow(?:s|ed|ing|er|ers)?": "acquire, release",
    r"out there": "on the network, at the provider",
    r"a (?:object|item|outcome|unknown|error|answer|event|attempt)|an (?:user|unique)": "a, an",
}
"""Regular expressions for prose: docstrings, comments, messages and pages."""

PHRASES: Final = {
    r"all the same": "still, anyway",
    r"such (?:an? )?ones?": "name the thing",
    r"the ones? that": "name the thing",
    r"(?:is|are|was|were|be|been|being|gets?|got) told": "gets; the message says",
    r"(?:tells?|telling|told) of": "name, report",
    r"count(?:s|ed|ing)? as well": "is healthy",
    r"as well(?! as)": "too, also",
    r"(?:is|are|as|than|by) (?:that|those) of": "repeat the noun",
    r"those (?:that|which|who|whose)": "name them",
    r"and its like": "and similar ...",
    r"likewise": "the same",
    r"(?:go|goes|going|went|gone) on with": "continues",
    r"be had": "available",
    r"and no more(?!\s\w)": "only",
    r"without further ado": "leave it out",
}
"""Turns of phrase that hide who does what, as regular expressions: for pages that users read, and
for the docstrings and help of what they call."""

INVERSIONS: Final = re.compile(r"(?:^|(?<=[.!?] )|(?<=[.!?]\n))Of (?!course)\w+", re.MULTILINE)
"""``Of deletions, a handler hears nothing``: a sentence begins with its subject."""

NAMES: Final = {
    "asked": "a noun for what it is: request, look_up",
    "asking": "exchange",
    "belief": "plausible",
    "believed": "plausible",
    "chance": "random_unit",
    "coinage": "a plain word",
    "course": "execution, plan_run",
    "deed": "effect",
    "doomed": "unwanted",
    "door": "method, endpoint, service",
    "doors": "methods, endpoints, services",
    "drawing": "render",
    "fate": "result",
    "fates": "results",
    "forsake": "close, drop",
    "front": "operations",
    "journey": "execution",
    "lazily": "lazy_...",
    "lend": "acquire",
    "lendable": "pooled",
    "lent": "shared",
    "news": "addition",
    "paper": "console, printer",
    "screen": "output",
    "sendable": "request_checks",
    "slowly": "timed",
    "story": "scenario",
    "strands": "work_units",
    "stretches": "batches",
    "tally": "counters",
    "telling": "report",
    "undoing": "teardown",
    "worded": "describe_...",
}
"""Parts of names (``_tell_course`` has tell and course) of modules, classes, functions, attributes,
arguments and variables."""

RETIRED: Final = {
    "AskBack": "ReadBack",
    "AskedBack": "ReadBackDone",
    "Broken": "ProtocolError",
    "Carry": "Send",
    "Ended": "Abort",
    "Fetch": "Need",
    "Fresh": "Send(build, effect)",
    "LentCredential": "SharedTokenCredential",
    "Meaning": "Classification",
    "Person": "Output",
    "Place": "Location, Resource",
    "Renamed": "NameMappingDriver",
    "Supplied": "Reply",
    "TransportApart": "OneShotTransport",
    "UniformDriver": "Driver",
    "Woken": "PauseEnded",
    "meanings": "classification",
    "passed_on": "map_call",
    "place_of": "a name that says which place",
    "take_back": "release",
}
"""Whole names of an earlier layout, and their successors."""

VERBS: Final = {
    "Give": "Return",
    "Gives": "Return",
    "Say": "Return, Describe",
    "Says": "Return, Describe",
    "Tell": "Return whether, Describe",
    "Tells": "Return whether, Describe",
    "Return back": "Close, Release",
    "Return up": "Drop, Refuse",
}
"""What no docstring begins with."""


def _compiled(words: Mapping[str, str]) -> list[tuple[re.Pattern[str], str]]:
    """Return patterns of whole words; one that ends in a look-ahead needs no end of a word."""
    return [
        (
            re.compile(
                rf"\b(?:{word})" if word.endswith(")") else rf"\b(?:{word})\b", re.IGNORECASE
            ),
            instead,
        )
        for word, instead in words.items()
    ]


_PROSE: Final = _compiled(WORDS)
_PHRASES: Final = _compiled(
    {phrase.replace(" ", r"\s+"): instead for phrase, instead in PHRASES.items()}
)
_PART: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


class Finding(NamedTuple):
    """One word in one place, and what to write instead."""

    line: int
    text: str
    instead: str

    def __str__(self) -> str:
        return f"{self.line}: {self.text!r}; write: {self.instead}"


def in_prose(text: str, line: int) -> Iterator[Finding]:
    """Yield the words of `WORDS` in a text that begins on `line`."""
    yield from _matches(_PROSE, text, line)


def in_users_prose(text: str, line: int) -> Iterator[Finding]:
    """Yield the turns of phrase of `PHRASES` in a text that begins on `line`."""
    yield from _matches(_PHRASES, text, line)


def in_users_page(text: str) -> Iterator[Finding]:
    """Yield the turns of phrase in a page in Markdown; names of code in back-ticks are left out."""
    plain = _without_code(text)
    yield from in_users_prose(plain, 1)
    yield from _matches([(INVERSIONS, "begin with the subject")], plain, 1)


def in_users_docstrings(source: str) -> Iterator[Finding]:
    """Yield the turns of phrase in the docstrings and texts of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from in_users_prose(node.value, node.lineno)


def _matches(
    patterns: Sequence[tuple[re.Pattern[str], str]], text: str, line: int
) -> Iterator[Finding]:
    for pattern, instead in patterns:
        for match in pattern.finditer(text):
            number = line + text.count("\n", 0, match.start())
            yield Finding(number, " ".join(match[0].split()), instead)


def _without_code(text: str) -> str:
    return re.sub(r"`[^`\n]+`", "``", text)


def in_name(name: str, line: int) -> Iterator[Finding]:
    """Yield what a name has of `NAMES` and `RETIRED`."""
    if name.strip("_") in RETIRED:
        yield Finding(line, name, RETIRED[name.strip("_")])
    for part in _PART.findall(name):
        if part.lower() in NAMES:
            yield Finding(line, name, NAMES[part.lower()])


def in_python(source: str) -> Iterator[Finding]:
    """Yield what a module has of all lists."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        yield from _in_node(node)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield from in_prose(token.string, token.start[0])


def in_page(text: str) -> Iterator[Finding]:
    """Yield what a page in Markdown has, names of code in back-ticks left out."""
    yield from in_prose(_without_code(text), 1)


def in_path(path: Path) -> Iterator[Finding]:
    """Yield what the name of a file or of its folder has."""
    for part in (path.parent.name, path.stem):
        yield from in_name(part, 0)


def _in_node(node: ast.AST) -> Iterator[Finding]:
    line = getattr(node, "lineno", 0)
    match node:
        case ast.Constant(value=str(text)):
            yield from in_prose(text, line)
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            yield from in_name(name, line)
        case ast.arg(arg=name) | ast.ClassDef(name=name):
            yield from in_name(name, line)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield from in_name(name, line)
        case ast.alias(asname=str(name)):
            yield from in_name(name, line)
        case _:
            pass
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield from _in_docstring(node)


def _in_docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> Iterator[Finding]:
    text = ast.get_docstring(node) or ""
    for verb, instead in VERBS.items():
        if re.match(rf"{verb}\b", text):
            yield Finding(getattr(node, "lineno", 1), f"docstring: {verb}", instead)
