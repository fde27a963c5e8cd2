"""The threats that leeward is held to, and the tests that show it: from the tests' own markers.

``python -m tests.security.threats`` writes the tables of ``docs/security.md`` anew.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from tests.house.workspace import ROOT

PAGE: Final = ROOT / "docs" / "security.md"


class Threat(NamedTuple):
    """What could happen, what holds against it, and why a part of that cannot be shown yet."""

    risk: str
    holds: str
    not_yet: str = ""


THREATS: Final = {
    "S1": Threat(
        "requests to hosts inside, through an endpoint that is configured or looked up",
        "hardened: https, the provider's own hosts or `allowed_hosts`, public addresses alone, "
        "looked at when the connection is made; no credential in clear to another machine, in any "
        "mode",
    ),
    "S2": Threat("redirects", "none is followed, whatever the status or the header"),
    "S3": Threat("TLS", "always verified, 1.2 or later; only PostgreSQL's `gives_up` ends that"),
    "S4": Threat(
        "endpoints, proxies and certificates by the environment",
        "hardened: nothing of it counts, nor of found files; a vendor's client that would follow "
        "it is refused",
    ),
    "S5": Threat(
        "credential files from outside",
        "what would lead elsewhere, or start a program, is refused before it is used",
    ),
    "S6": Threat(
        "a token for another cloud", "no schedule of faults shows one cloud's secret to another"
    ),
    "S7": Threat(
        "token caches", "in memory, by what it is good for; one fetch for all; one renewal on a 401"
    ),
    "S8": Threat(
        "secrets and payloads in logs",
        "values print without what they carry; what a cloud says is not repeated; lint of every "
        "logging call",
    ),
    "S9": Threat(
        "injection into logs and headers",
        "control characters, separators and lone surrogates are refused in every argument",
    ),
    "S10": Threat(
        "forged hints",
        "what a dead letter says of itself chooses neither where it goes back to, nor that nobody "
        "is asked; of a wrong type its text counts for nothing, and stops no list; what processes "
        "share of the health of targets opens no circuit by itself, and nothing of it counts that "
        "is old, odd or of the future; a row of the spool that leeward has not written is given up",
        "nothing of it is signed: who may write the table of isolations can isolate a target, and "
        "who may write a queue sends messages",
    ),
    "S11": Threat(
        "reserved names and paths",
        "keys are spelt so that no character of a path or a provider's own is left, each in one "
        "way; a target's name that cannot name a file is refused",
    ),
    "S12": Threat(
        "residency",
        "a target outside of a group's residency takes none of its calls, whatever fails and "
        "whatever a call names; a table's home is inside of its own",
    ),
    "S13": Threat(
        "data at rest",
        "files 0600 in directories 0700; another's, shared or linked ones are refused, with the "
        "journal beside them",
        "The spool holds events as they are, in a file of mode 0600 or in the database that is "
        "named; neither it nor the embedded store is encrypted: that is left to the disk.",
    ),
    "S14": Threat(
        "deserialisation",
        "JSON and TOML alone, strict, 100 levels deep; digits, exponents and types are bounded; a "
        "forged item is a legal one or an error",
    ),
    "S15": Threat(
        "bombs for answers",
        "20 MiB before and after decompression, 64 KiB of headers; what drips ends with the call",
    ),
    "S16": Threat(
        "plugins",
        "an installed adapter is imported when it is named; nothing of a working directory is run, "
        "nothing there is believed that others may write",
    ),
    "S17": Threat(
        "idempotency records",
        "every write of one is conditional on its owner; a key belongs to one payload, and to one "
        "principal where the function names it, which a function of an app has to decide; with "
        "`LEEWARD_KEYS_SECRET` neither keys nor digests to try them with are in the table, while "
        "results are there in clear; what a caller forges changes neither the key nor what a "
        "delivery is; a probe tells nobody what the call of another principal has done, and no key "
        "leads it to another path; no run begins without the approval that it needs; no key is in "
        "a log",
        "a key has no least length: where all callers are one principal, whoever guesses a key and "
        "its payload gets its result",
    ),
    "S18": Threat(
        "poisoned clocks",
        "dates more than a day off, waits of more than 30 seconds and leases of another decade are "
        "not believed; revisions do not come from clocks",
    ),
    "S19": Threat(
        "denial of service by oneself",
        "caches, lines, waits, threads, messages and patterns have bounds",
    ),
    "S20": Threat(
        "least privilege",
        "the policies of the page are those that the suite ran with, on AWS",
        "Of Azure and Google no run on a real account has recorded its calls yet.",
    ),
    "S21": Threat(
        "dependencies",
        "none in the core; every tool is locked by hash, audited, and listed in an SBOM",
    ),
    "S22": Threat(
        "forks", "a child has connections, databases, ids and flights of its own"
    ),
    "S23": Threat(
        "detail in errors", "codes, ids and what to do; everything native stays in `__cause__`"
    ),
    "S24": Threat("tests that leave the machine", "sockets and libcurl reach loopback alone"),
    "S25": Threat(
        "secrets in a package",
        "no link that leads out of the source; keys, states, settings, stores and logs stay "
        "behind, and are named; so does what .gitignore and .leewardignore name",
    ),
    "S26": Threat(
        "functions that are served over HTTP",
        "this machine alone, under its own names, or a token; no page in a browser may call "
        "without one, and who may not call holds no thread; a request that can be read in two ways "
        "runs nothing; threads, connections, bytes and times have bounds; health waits for no work",
    ),
    "S27": Threat(
        "a console in the browser",
        "this machine alone, under its own names; a token that becomes a cookie of a path that "
        "nobody guesses, so that no other port gets it, and that is in no command line; no page of "
        "another origin reads, frames or sends a form; names, payloads and errors of others are "
        "text; it shows only unless told, and payloads only by a click",
    ),
}  # fmt: skip
"""By their numbers in the project's checklist."""

ROWS: Final = {
    1: "vendors' clients leave the hardened mode",
    2: "the switch of the hardened mode lies where an attacker may write",
    3: "the working directory is on the path of modules, and a file found there is believed",
    4: "forged type trees take memory, or let odd values through",
    5: "a pattern takes time that doubles with each letter",
    6: "a proxy's password is in `__cause__`",
    7: "a journal beside the embedded store is believed",
    8: "keys in the `repr` of values behind a driver",
    9: "hardened Azure follows `IDENTITY_ENDPOINT` to any host",
    10: "tokens and keys in clear to another machine",
    11: "maps that grow by name, a thread for each new one",
    12: "one odd row ends the delivery loop",
    13: "one refusal dated 9999 dates all later requests",
    14: "adapters honour the environment that they are handed",
    15: "the check of addresses does not reach vendors' sources of credentials",
}
"""What the first audit found. All are mended."""


class Mark(NamedTuple):
    """A marker of a test, or of all tests of a file."""

    kind: str
    names: tuple[str | int, ...]
    place: str


@cache
def marks() -> list[Mark]:
    """Return every marker of the kinds ``threat`` and ``row``, in the order of files and lines."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [mark for file in files for mark in _marks_in(file)]


def _marks_in(file: Path) -> Iterator[Mark]:
    place = file.relative_to(ROOT).as_posix()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="pytestmark")], value=value):
                found = value.elts if isinstance(value, ast.List) else [value]
                yield from _read(found, place)
            case ast.FunctionDef(name=name, decorator_list=decorators):
                yield from _read(decorators, f"{place}::{name}")


def _read(expressions: list[ast.expr], place: str) -> Iterator[Mark]:
    for each in expressions:
        match each:
            case ast.Call(func=ast.Attribute(attr=("threat" | "row") as kind), args=arguments):
                yield Mark(kind, tuple(ast.literal_eval(one) for one in arguments), place)


def places(kind: str, name: str | int) -> list[str]:
    """Return where the tests of a threat, or of a row, stand; a file stands for all its tests."""
    found = [each.place for each in marks() if each.kind == kind and name in each.names]
    whole = {each for each in found if "::" not in each}
    return [
        each for each in dict.fromkeys(found) if each in whole or each.split("::")[0] not in whole
    ]


def tables() -> str:
    """Return both tables in Markdown."""
    lines = ["| | threat | | what holds | shown by |", "|---|---|---|---|---|"]
    for name, threat in THREATS.items():
        shown = _links("threat", name)
        told = ". ".join(
            filter(None, (threat.holds[:1].upper() + threat.holds[1:], threat.not_yet))
        )
        verdict = "fails" if not shown else "partly" if threat.not_yet else "holds"
        cells = (name, threat.risk, verdict, told.rstrip("."), shown or "not yet")
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "What the first audit of the project found, all mended:", ""]
    lines += ["| | what was wrong | shown by |", "|---|---|---|"]
    lines += [f"| {row} | {wrong} | {_links('row', row)} |" for row, wrong in ROWS.items()]
    return "\n".join(lines)


def _links(kind: str, name: str | int) -> str:
    return ", ".join(f"`{each.removeprefix('tests/')}`" for each in places(kind, name))


def rewritten(page: str) -> str:
    """Return the page with the tables as they are now, between its two comments."""
    parts = re.split(r"(<!-- (?:/)?tables -->)", page)
    assert len(parts) == 5, "the page has no place for the tables"
    return f"{parts[0]}{parts[1]}\n\n{tables()}\n\n{parts[3]}{parts[4]}"


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
