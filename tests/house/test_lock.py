from __future__ import annotations

import re
from itertools import chain

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.workspace import ROOT, members, read_pyproject

pytestmark = pytest.mark.threat("S21")

ENTRY = re.compile(
    r"^(?P<requirement>[a-z0-9][^ \\]*(?: ;[^\\]*)?)(?P<hashes>(?: \\\n    --hash=\S+)*)$",
    re.MULTILINE,
)


def _lock() -> str:
    return (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")


def _direct_requirements() -> list[Requirement]:
    """Give what the members ask for, other than each other."""
    projects = [read_pyproject(directory) for directory in members()]
    own = {canonicalize_name(each["project"]["name"]) for each in projects}
    lists: list[list[str]] = []
    for each in projects:
        lists += [each["project"].get("dependencies", []), each["build-system"]["requires"]]
        lists += each["project"].get("optional-dependencies", {}).values()
        lists += each.get("dependency-groups", {}).values()
    found = map(Requirement, chain.from_iterable(lists))
    return [each for each in found if canonicalize_name(each.name) not in own]


def test_every_locked_tool_has_a_version_and_a_hash() -> None:
    """Setting up from the lock installs the same bytes everywhere."""
    entries = list(ENTRY.finditer(_lock()))
    assert len(entries) > 20
    assert [e["requirement"] for e in entries if "==" not in e["requirement"]] == []
    assert [e["requirement"] for e in entries if not e["hashes"]] == []


def test_the_lock_holds_nothing_but_names_versions_and_hashes() -> None:
    """No address of a registry and no path of a machine stands in the lock."""
    body = "\n".join(line for line in _lock().splitlines() if not line.startswith("#"))
    assert ENTRY.sub("", body).strip() == ""
    assert "/" not in _lock().replace("`make lock`", "")


def test_the_lock_satisfies_every_pyproject() -> None:
    """Whoever adds a dependency is told to run `make lock`."""
    locked: dict[str, list[str]] = {}
    for entry in ENTRY.finditer(_lock()):
        name, _, rest = entry["requirement"].partition("==")
        locked.setdefault(name, []).append(rest.partition(" ;")[0])
    stale = [
        str(each)
        for each in _direct_requirements()
        if not any(each.specifier.contains(v) for v in locked.get(canonicalize_name(each.name), []))
    ]
    assert stale == [], "run `make lock`"
