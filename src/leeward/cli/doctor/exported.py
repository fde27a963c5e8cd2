"""What `leeward export` has written, compared with what is there, and with ``leeward.toml``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from leeward.calls import Look, LookResult
from leeward.calls.looks import RESOURCE, LookVerb
from leeward.cli.doctor.findings import KINDS, ORDER, Answered, Finding, State, named, told_of
from leeward.cli.doctor.order import home_of
from leeward.config import Config
from leeward.errors import ConfigError, Outcome
from leeward.json_text import Undecodable, decode
from leeward.packaging.recipe import Expected
from leeward.packaging.terraform import EXPECTED

VERBS: Final[dict[str, LookVerb]] = {name: verb for verb, name in KINDS.items()}

REMEDY: Final = "apply the exported files, or run leeward export again and apply those"

_FILES: Final = ("*.tf.json", "*.template.json")


def read_exported(folder: Path) -> list[Expected]:
    """Return what the files below a folder say that is there, each once.

    Raises:
        ConfigError: there is no such file, or one cannot be read.
    """
    files = sorted(file for pattern in _FILES for file in folder.rglob(pattern))
    found = [each for file in files for each in _in_file(file)]
    if not found:
        raise ConfigError(
            f"{folder} has no file that leeward export has written; name its --out folder"
        )
    return [each for place, each in enumerate(found) if each not in found[:place]]


def _in_file(file: Path) -> Iterator[Expected]:
    try:
        for each in _told(decode(file.read_text(encoding="utf-8"))):
            expected = Expected(**each)
            if expected.kind not in VERBS:
                raise ConfigError(f"{file} names a {expected.kind!r}; run leeward export again")
            yield expected
    except (OSError, UnicodeDecodeError, Undecodable, TypeError) as error:
        raise ConfigError(
            f"{file} cannot be read as leeward export has written it; run that again"
        ) from error


def _told(document: Any) -> list[Any]:
    """Return what a document says that is there: nothing, if it is a project's own."""
    for way in (("output", EXPECTED, "value"), ("Metadata", EXPECTED)):
        found = document
        for name in way:
            found = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, list):
            return found
    return []


def looks_for(expected: Sequence[Expected], config: Config, target: str) -> list[Look]:
    """Return what is to be looked for at a target."""
    return [
        Look(each.name, VERBS[each.kind], _key(each, config), type=each.type, has=each.has)
        for each in expected
        if each.target == target
    ]


def _key(expected: Expected, config: Config) -> tuple[str, ...]:
    table = config.tables.get(expected.name) if expected.kind == "table" else None
    return ("id",) if table is None else table.key


def compared(target: str, answered: Answered) -> Finding:
    """Return what an answer says of something that a file has."""
    check, result = f"exported {named(answered.look)}", answered.result
    if result.outcome is Outcome.OK:
        seen = (
            result.value
            if isinstance(result.value, LookResult)
            else LookResult(None, "it was not told")
        )
        if seen.there is None:
            return Finding(target, check, State.NOTE, f"not known: {seen.why}")
        if answered.look.verb != RESOURCE:
            told = "is there; how it is set up was not compared"
            return Finding(target, check, State.OK, told)
        rest = f"; not looked at: {', '.join(seen.unseen)}" if seen.unseen else ""
        if seen.differs:
            told = f"is there, and differs: {'; '.join(seen.differs)}{rest}"
            return Finding(target, check, State.FAULT, told, REMEDY)
        return Finding(target, check, State.OK, f"is as the files have it{rest}")
    if result.outcome is Outcome.NOT_FOUND:
        return Finding(target, check, State.FAULT, f"is not there: {told_of(result)}", REMEDY)
    return Finding(target, check, State.NOTE, f"not known: {told_of(result)}")


def strangers(expected: Sequence[Expected], config: Config) -> Iterator[Finding]:
    """Return what the files and ``leeward.toml`` do not have in common."""
    order = [str(target) for target in config.order]
    for target in dict.fromkeys(each.target for each in expected):
        if target not in order:
            told = f"the files are for it, and the order is {', '.join(order)}"
            remedy = "name it in the order, or run leeward export again"
            yield Finding(target, "exported target", State.FAULT, told, remedy)
    exported = {(each.kind, each.name) for each in expected}
    targets = {each.target for each in expected}
    named_there = [("bus", name) for name in config.buses]
    named_there += [
        (kind, name)
        for kind, section in (("table", config.tables), ("bucket", config.buckets))
        for name, each in section.items()
        if home_of(config, each.home) in targets
    ]
    for kind, name in named_there:
        if (kind, name) not in exported:
            told = "leeward.toml names it, and no exported file has it"
            yield Finding(ORDER, f"exported {kind} {name}", State.FAULT, told, REMEDY)
