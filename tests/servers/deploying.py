"""An app's code as it is deployed: leeward, one adapter, and the app, in a folder of their own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

ENTRIES: Final = {
    "aws": ("handler.py", 'lambda_handler = app.handler("aws")'),
    "azure": ("function_app.py", 'function_app = shop.handler("azure")'),
    "google": ("main.py", 'main = app.handler("google")'),
}
"""The file that a platform loads, and its one line besides the import of the app."""


_LOUD: Final = "import logging\n\nlogging.basicConfig(level=1)\n"


def log_all(folder: Path, provider: str) -> Path:
    """Let what is deployed in a folder log on every level; return the folder."""
    entry = folder / ENTRIES[provider][0]
    entry.write_text(_LOUD + entry.read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def deploy(folder: Path, provider: str, modules: Mapping[str, str], app: str) -> Path:
    """Write what is deployed on one cloud; return the folder.

    The packages are links, so that a test sees the code as it is; what finds the runtime is the
    metadata of the adapter, as an installation writes it.

    Args:
        folder: is made.
        provider: whose adapter goes along.
        modules: the texts of the app's own modules, by their file names.
        app: the module that has the `App`, under the name ``app``.
    """
    folder.mkdir(parents=True)
    adapter = ROOT / "adapters" / provider
    (folder / "leeward").symlink_to(ROOT / "src/leeward")
    (folder / f"leeward_{provider}").symlink_to(adapter / f"src/leeward_{provider}")
    project = tomllib.loads((adapter / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = folder / f"leeward_{provider}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Name: leeward-{provider}\n", encoding="utf-8")
    lines = [
        f"[{group}]\n" + "\n".join(f"{name} = {value}" for name, value in points.items())
        for group, points in project["entry-points"].items()
    ]
    (metadata / "entry_points.txt").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    for name, text in modules.items():
        (folder / name).write_text(text, encoding="utf-8")
    name, line = ENTRIES[provider]
    imported = "app as shop" if provider == "azure" else "app"
    (folder / name).write_text(f"from {app} import {imported}\n\n{line}\n", encoding="utf-8")
    return folder


def with_wire(folder: Path, provider: str, entry: str) -> Path:
    """Let what is deployed in a folder have the wire of leeward's clients; return the folder.

    `entry` is the text of the file that the platform loads.
    """
    (folder / ENTRIES[provider][0]).write_text(entry, encoding="utf-8")
    found = find_spec("pycurl")
    assert found is not None
    assert found.origin is not None
    packages = Path(found.origin).parent
    for each in (packages, packages.with_name("pycurl.libs")):
        (folder / each.name).symlink_to(each)
    return folder
