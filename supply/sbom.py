"""Write a CycloneDX bill of materials of the wheels in ``dist``, for ``make dist``.

Listed are the wheels, with their SHA-256; what they need with all their extras, in the versions
that the tests have run with, as it is installed in the environment of the lock file, with licences
and with the hash of each file that the lock allows; and the tools of the project, which no wheel
needs, as excluded. The same wheels give the same file.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5
from zipfile import ZipFile

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, License, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parent.parent
ENTRY: Final = r"(?m)^([a-z0-9][^ \\=]*)==([^ \\\n]+)[^\\\n]*?((?: \\\n    --hash=sha256:\S+)*)$"


def locked(text: str) -> dict[str, tuple[str, list[str]]]:
    """Return the version of what a lock file names, and the SHA-256 of each of its files."""
    return {
        canonicalize_name(name): (version, re.findall("sha256:([0-9a-f]{64})", hashes))
        for name, version, hashes in re.findall(ENTRY, text)
    }


def wheel_metadata(wheel: Path) -> Metadata:
    """Return what a wheel says of itself."""
    with ZipFile(wheel) as archive:
        (name,) = [
            each for each in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", each)
        ]
        return Metadata.from_email(archive.read(name), validate=False)


def needs(requirements: list[Requirement], extras: set[str]) -> Iterator[tuple[str, set[str]]]:
    """Yield the name of each requirement that holds with these extras, and its own extras."""
    for each in requirements:
        marks = [{"extra": extra} for extra in ("", *extras)]
        if each.marker is None or any(each.marker.evaluate(mark) for mark in marks):
            yield canonicalize_name(each.name), each.extras


def bill(wheels: list[Path], lock: Mapping[str, tuple[str, list[str]]]) -> Bom:
    """Return the bill of `wheels`; the versions of everything else are those of `lock`."""
    read = [(wheel, wheel_metadata(wheel)) for wheel in wheels]
    own = {str(canonicalize_name(found.name)): (wheel, found) for wheel, found in read}
    parts = {name: _of_wheel(*found) for name, found in own.items()}
    edges: dict[str, set[str]] = {}
    todo: list[tuple[str, set[str]]] = [
        (name, set(found.provides_extra or ())) for name, (_, found) in own.items()
    ]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        name, extras = todo.pop()
        if (name, frozenset(extras)) in seen or not (name in own or name in lock):
            continue
        seen.add((name, frozenset(extras)))
        parts.setdefault(name, _of_lock(name, *lock.get(name, ("", []))))
        wanted = list(needs(_requirements(name, own), extras))
        edges.setdefault(name, set()).update(each for each, _ in wanted)
        todo += wanted
    tools = {name: _of_lock(name, *found, scope=ComponentScope.EXCLUDED)
             for name, found in lock.items() if name not in parts}  # fmt: skip
    return _bom(parts, tools, edges)


def _bom(
    parts: dict[str, Component], tools: dict[str, Component], edges: dict[str, set[str]]
) -> Bom:
    root = parts["leeward"]
    bom = Bom(components=[each for each in (*parts.values(), *tools.values()) if each is not root])
    bom.metadata.component = root  # what the bill is of; its parts are the others
    # The time of the build would make each file another one, and says nothing of what is in it.
    bom.metadata.timestamp = None  # type: ignore[assignment]
    told = "\n".join(sorted(f"{each.purl} {each.hashes}" for each in (root, *bom.components)))
    bom.serial_number = uuid5(NAMESPACE_URL, told)
    for name, found in edges.items():
        bom.register_dependency(parts[name], [parts[each] for each in sorted(found & set(parts))])
    return bom


def _of_wheel(wheel: Path, found: Metadata) -> Component:
    content = sha256(wheel.read_bytes()).hexdigest()
    made = _component(found.name, str(found.version), [content], ComponentScope.REQUIRED)
    if found.license_expression:
        made.licenses = [DisjunctiveLicense(id=found.license_expression)]
    return made


def _of_lock(
    name: str, version: str, hashes: list[str], scope: ComponentScope = ComponentScope.OPTIONAL
) -> Component:
    """Return what is locked, with the hash of each of its files: there is one for each platform."""
    made = _component(name, version, hashes, scope)
    made.licenses = _licences(name)
    return made


def _licences(name: str) -> list[License]:
    """Return the licence that an installed distribution names, none of one that is not here."""
    try:
        told: Any = distribution(name).metadata
    except PackageNotFoundError:  # of another platform
        return []
    expression = told.get("License-Expression")
    if expression:
        return [LicenseExpression(expression)]
    classified = [
        each.rpartition(" :: ")[2]
        for each in told.get_all("Classifier", ())
        if each.startswith("License :: ")
    ]
    short = (told.get("License") or "").strip()
    names = classified or ([short] if short and "\n" not in short else [])
    return [DisjunctiveLicense(name=each) for each in names]


def _component(name: str, version: str, hashes: list[str], scope: ComponentScope) -> Component:
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        purl=PackageURL("pypi", name=name, version=version),
        bom_ref=f"{name}@{version}",
        scope=scope,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each) for each in hashes],
    )


def _requirements(name: str, own: Mapping[str, tuple[Path, Metadata]]) -> list[Requirement]:
    if name in own:
        return list(own[name][1].requires_dist or ())
    try:
        return [Requirement(each) for each in distribution(name).requires or ()]
    except PackageNotFoundError:  # of another platform
        return []


def main() -> None:
    """Write the bill beside the wheels in ``dist``."""
    wheels = sorted((ROOT / "dist").glob("*.whl"))
    lock = locked((ROOT / "requirements-dev.txt").read_text(encoding="utf-8"))
    bom = bill(wheels, lock)
    root = bom.metadata.component
    assert root is not None
    target = ROOT / "dist" / f"leeward-{root.version}.cdx.json"
    target.write_text(JsonV1Dot6(bom).output_as_string(indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{target.relative_to(ROOT)}: {len(bom.components)} components\n")


if __name__ == "__main__":
    main()
