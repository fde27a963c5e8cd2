"""What a cloud loads: `contract.py` and its settings, packed as a user packs an app."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory
from typing import Final

from cloud_tests.deployed import contract
from cloud_tests.options import FOLDER
from leeward_deploy.uv import program

WHEELS: Final = "LEEWARD_TEST_WHEELS"
"""The variable with a folder that has all wheels, so that no index is asked; without it, leeward's
own are built from here."""

PYTHON: Final = os.environ.get("LEEWARD_TEST_PYTHON", "3.13")
"""The one that runs the app: each cloud has it."""

TABLE: Final = ("what", "at")
"""The key of the table of `contract.MEMORY`."""


def package_app(provider: str, options: Mapping[str, str], memory: str = contract.MEMORY) -> bytes:
    """Return the zip that a cloud loads.

    Args:
        provider: of the target in which the functions remember.
        options: of this target; no secrets.
        memory: what the target calls the table in which they remember.

    Raises:
        RuntimeError: it cannot be made; the message has what uv or `leeward package` said.
    """
    with TemporaryDirectory() as name:
        source, out = Path(name, "source"), Path(name, "out")
        source.mkdir()
        copy(contract.__file__, source)
        (source / "leeward.toml").write_text(settings(provider, options, memory), encoding="utf-8")
        wheels = os.environ.get(WHEELS)
        if not wheels:
            for each in ("leeward", f"leeward-{provider}"):
                build = ["build", "--wheel", "--no-build-isolation", "--package", each]
                _run([program(), *build, "--python", sys.executable, "--out-dir", name])
        place = ["--source", str(source), "--out", str(out), "--find-links", wheels or name]
        command = ["package", "--target", provider, "--python", PYTHON, *place, "--json"]
        text = _run([sys.executable, "-m", "leeward", *command, *["--no-index"] * bool(wheels)])
        return Path(json.loads(text)["zip"]).read_bytes()


def _run(command: list[str]) -> str:
    done = subprocess.run(  # noqa: S603 - uv, or this Python, with arguments of here
        command, cwd=FOLDER.parent, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])}: {done.stdout}{done.stderr}")
    return done.stdout


def settings(provider: str, options: Mapping[str, str], memory: str) -> str:
    """Return the app's leeward.toml."""
    lines = [
        f"cloud_provider = {json.dumps(provider)}",
        f"[tables.{contract.MEMORY}]",
        f"key = {json.dumps(TABLE)}",
        f"names.{provider} = {json.dumps(memory)}",
        f"[targets.{provider}]",
        *(f"{key} = {json.dumps(value)}" for key, value in options.items()),
    ]
    return "\n".join(lines)
