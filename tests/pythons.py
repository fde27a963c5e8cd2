"""Run the fast tests on the other Pythons of this machine that leeward supports.

python -m tests.pythons [--find 3.x]

The Python of `.venv` runs every test; each other one gets an environment of its own, `.venv-3.x`,
with what the fast tests need: no server, and no package of a cloud's vendor.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]

FAST: Final = (
    "tests/app",
    "tests/backup",
    "tests/client",
    "tests/config",
    "tests/http",
    "tests/items",
    "tests/local",
    "tests/lose_answers/test_effects.py",
    "tests/lose_answers/test_plugin.py::test_a_double_is_named_and_fails_the_session",
    "tests/lose_answers/test_plugin.py::test_a_task_that_a_loss_left_behind_is_no_double",
    "tests/routing",
    "tests/cli",
    "tests/contract/test_local.py",
    "tests/contract/test_router.py",
    "tests/packages/test_parts.py",
    "tests/packages/test_requests.py",
    "tests/google/test_functions.py",
    "tests/google/test_settings.py",
    "tests/security/test_endpoints.py",
    *(f"tests/{path.name}" for path in sorted((ROOT / "tests").glob("test_*.py"))),
)
"""The tests that need no server and little time; of them, `vendors` marks those that need a
vendor's package."""

NEEDED: Final = (
    *("pytest", "pytest-socket", "pytest-timeout", "pytest-xdist", "hypothesis", "trustme"),
    *("h11", "hatchling", "editables", "httptools", "matplotlib", "msgspec", "pydantic"),
    *("starlette", "uvicorn", "watchfiles"),
)
"""What goes into an environment beside leeward, at the versions of `requirements-dev.txt`."""

EXTRAS: Final = "wire,cli,yaml"
"""Those of leeward's extras that bring no vendor's package."""

PARTS: Final = (
    "contract_tests",
    "extras/backup",
    "extras/deploy",
    "extras/dev",
    "extras/integrations",
    "extras/lose_answers",
    "extras/ran",
    "adapters/aws",
    "adapters/azure",
    "adapters/google",
    "adapters/http",
    "adapters/postgres",
)
"""What is installed without what it needs."""

LOCK: Final = ROOT / "requirements-dev.txt"

PROBE: Final = "import sqlite3, ssl, sys; print(*sys.version_info[:3], sep='.')"
"""Prints the version, unless this Python was built without what leeward needs."""


class Python(NamedTuple):
    """One Python of this machine.

    Attributes:
        version: such as ``3.12.1``.
        path: of its executable.
    """

    version: str
    path: Path

    @property
    def minor(self) -> str:
        """The version without its last part, such as ``3.12``."""
        return self.version.rpartition(".")[0]

    @property
    def home(self) -> Path:
        """Where its environment is."""
        return ROOT / f".venv-{self.minor}"

    @property
    def executable(self) -> Path:
        """The Python of its environment."""
        return self.home / "bin/python"

    def set_up(self) -> None:
        """Make its environment, unless that is there and of the same lock."""
        ready, needs = self.home / ".ready", self._needs()
        if ready.exists() and ready.read_text(encoding="utf-8") == needs:
            return
        _uv("venv", "--clear", "--python", self.path, self.home)
        install = ("pip", "install", "--python", self.executable)
        _uv(*install, "--compile-bytecode", "--constraints", LOCK, *NEEDED)
        editable = (*install, "--constraints", LOCK, "--no-build-isolation")
        _uv(*editable, f"--editable={ROOT}[{EXTRAS}]")
        _uv(*editable, "--no-deps", *(f"--editable={ROOT / part}" for part in PARTS))
        ready.write_text(needs, encoding="utf-8")

    def _needs(self) -> str:
        projects = [ROOT / part / "pyproject.toml" for part in (".", *PARTS)]
        told = [
            str(self),
            str(NEEDED),
            EXTRAS,
            *(path.read_text("utf-8") for path in (LOCK, *projects)),
        ]
        return sha256("\n".join(told).encode()).hexdigest()


def supported() -> list[str]:
    """Return the versions that leeward declares, such as ``3.12``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = [
        re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", each)
        for each in project["classifiers"]
    ]
    return [each[1] for each in found if each]


def find(minor: str) -> Python | None:
    """Return the first Python ``3.x`` of this machine that works; None if there is none."""
    for path in _candidates(minor):
        done = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, check=False)
        version = done.stdout.strip()
        if done.returncode == 0 and version.startswith(f"{minor}."):
            return Python(version, path)
    return None


def _candidates(minor: str) -> Iterator[Path]:
    """Yield where a Python may be: on the path, or where pyenv and uv keep theirs."""
    name = f"python{minor}"
    for folder in os.get_exec_path():
        yield from Path(folder).glob(name)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for root in (pyenv / "versions", Path.home() / ".local/share/uv/python"):
        yield from sorted(root.glob(f"*/bin/{name}"), reverse=True)


def _uv(*arguments: Any) -> None:
    uv = ROOT / ".venv/bin/uv"
    subprocess.run([uv, "--quiet", *arguments], cwd=ROOT, check=True)


def main(arguments: list[str]) -> int:
    """Set up, run, print what ran where, and return the status; or find a Python."""
    if arguments[:1] == ["--find"]:
        asked = find(arguments[1])
        print(asked.path if asked else "")
        return 0
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = {minor: find(minor) for minor in supported() if minor != here}
    pythons = [python for python in found.values() if python]
    failed = 0
    for python in pythons:
        python.set_up()
        print(f"The fast tests on Python {python.version}, {python.path}:", flush=True)
        options = "-q -n auto --dist worksteal --hypothesis-profile few".split()
        command = [str(python.executable), "-m", "pytest", *options, "-m", "not vendors", *FAST]
        failed |= subprocess.run(command, cwd=ROOT, check=False).returncode
    missing = [minor for minor, python in found.items() if python is None]
    print(
        f"`make test` runs every test on Python {here}; the fast ones ran on "
        f"{', '.join(python.version for python in pythons) or 'no other'}; "
        f"not on this machine: {', '.join(missing) or 'none'}."
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
