"""Wheels without an index: built from the tree, and made again of what is installed."""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from zipfile import ZipFile

from packaging.tags import Tag, parse_tag

from tests.house.conftest import build_wheel
from tests.house.workspace import ROOT
from tests.servers.installed import executable

MEMBERS = (
    *(".", "extras/backup", "extras/ran"),
    *("adapters/aws", "adapters/azure", "adapters/google"),
)


HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def make_wheels(out: Path) -> None:
    """Make all wheels that a package for this Python needs: leeward's, and what was installed."""
    built(out)
    own = Path(sys.prefix) / f"lib/python{HERE}/site-packages"
    repacked(own, {"pycurl", "azure-functions", "Werkzeug", "MarkupSafe"}, out)
    repacked(site("functions-framework"), None, out)


def site(server: str) -> Path:
    """Return where the packages of a server are installed."""
    (found,) = executable(server, "python").parents[1].glob("lib/python3*/site-packages")
    return found


def built(out: Path) -> None:
    """Build leeward and its adapters from the tree, with this interpreter's own build backend."""
    for member in MEMBERS:
        build_wheel(ROOT / member, out)


def repacked(site: Path, names: set[str] | None, out: Path, platform: str | None = None) -> None:
    """Make wheels of what is installed.

    Args:
        site: the folder that it is installed in.
        names: of what; None for all.
        out: gets the wheels.
        platform: is claimed in the place of their own, if it is given.
    """
    for each in distributions(path=[str(site)]):
        if names is None or each.metadata["Name"] in names:
            _repack(each, out, platform)


def _tags_in(text: str) -> list[Tag]:
    return [tag for line in re.findall(r"(?m)^Tag: (\S+)", text) for tag in parse_tag(line)]


def _repack(distribution: Distribution, out: Path, platform: str | None) -> None:
    name = re.sub(r"[-_.]+", "_", distribution.metadata["Name"])
    info = f"{name}-{distribution.version}.dist-info"
    told = distribution.read_text("WHEEL") or ""
    tags = _tags_in(told)
    if platform is not None:
        told = re.sub(r"(?m)^Tag: .*\n", "", told)
        told += f"Tag: {tags[0].interpreter}-{tags[0].abi}-{platform}\n"
        tags = _tags_in(told)
    parts = [
        ".".join(sorted({getattr(tag, kind) for tag in tags}))
        for kind in ("interpreter", "abi", "platform")
    ]
    with ZipFile(out / f"{name}-{distribution.version}-{'-'.join(parts)}.whl", "w") as archive:
        record = []
        for file in distribution.files or ():
            path = file.as_posix()
            is_info = path.split("/")[0].endswith(".dist-info")
            if path.startswith("..") or "__pycache__" in path:
                continue
            if is_info and file.name in ("RECORD", "INSTALLER", "REQUESTED", "WHEEL"):
                continue
            target = f"{info}/{path.partition('/')[2]}" if is_info else path
            archive.write(str(file.locate()), target)
            record.append(f"{target},,\n")
        archive.writestr(f"{info}/WHEEL", told)
        record += [f"{info}/WHEEL,,\n", f"{info}/RECORD,,\n"]
        archive.writestr(f"{info}/RECORD", "".join(record))
