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

WHEELS: Final = "LEEWARD_TEST_WHEELS"
"""The variable with a folder that has all wheels, so that no index is asked; without it, leeward's
own are those of `make dist`."""

PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The one that runs the tests; each cloud has those that leeward runs on."""

TABLE: Final = ("what", "at")
"""The key of the table of `contract.MEMORY`."""


def package_app(provider: str, options: Mapping[str, str]) -> bytes:
    """Return the zip that a cloud loads.

    Args:
        provider: of the target in which the functions remember.
        options: of this target; no secrets.

    Raises:
        RuntimeError: it cannot be made; the message has what `leeward package` said.
    """
    with TemporaryDirectory() as name:
        source, out = Path(name, "source"), Path(name, "out")
        source.mkdir()
        copy(contract.__file__, source)
        (source / "leeward.toml").write_text(settings(provider, options), encoding="utf-8")
        wheels = os.environ.get(WHEELS)
        links = ["--find-links", wheels or str(FOLDER.parent / "dist")]
        command = ["package", "--target", provider, "--python", PYTHON, *links]
        done = subprocess.run(  # noqa: S603 - this Python, with arguments of here
            [
                *(sys.executable, "-m", "leeward", *command, "--json"),
                *("--source", str(source), "--out", str(out), *["--no-index"] * bool(wheels)),
            ],
            cwd=source,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"leeward package: {done.stdout}{done.stderr}")
        return Path(json.loads(done.stdout)["zip"]).read_bytes()


def settings(provider: str, options: Mapping[str, str]) -> str:
    """Return the app's leeward.toml."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in options.items()]
    table = f"[tables.{contract.MEMORY}]\nkey = {json.dumps(TABLE)}\n"
    target = "\n".join([f"[targets.{provider}]", *lines])
    return f'cloud_provider = "{provider}"\n\n{table}\n{target}\n'
