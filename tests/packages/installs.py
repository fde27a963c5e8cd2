"""Install each extra by itself from `dist`, into an empty environment, and import what it brings.

python -m tests.packages.installs [EXTRA...]

leeward-ran is installed without leeward, too, and asked what ran. On each Python here a newcomer's
first app and the contract of an adapter run, from nothing but what is installed.

leeward's own distributions come from `dist` alone, the others from the index that pip has.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Final

from tests.house.workspace import ROOT, members, read_pyproject
from tests.pythons import find, supported

DIST: Final = ROOT / "dist"
EXTRAS: Final = read_pyproject(ROOT)["project"]["optional-dependencies"]
OWN: Final = {
    project["name"]: project["version"]
    for project in (read_pyproject(each)["project"] for each in members())
}

IMPORTS: Final = """
import importlib, json, sys
from importlib.metadata import distributions, packages_distributions
wanted, own = json.loads(sys.argv[1])
found = {each.name: each.version for each in distributions()}
assert all(found[name] == own[name] for name in found if name in own), found
names = {name for name, of in packages_distributions().items() if {*of} & {*wanted}}
for name in names | {"leeward"}:
    if not name.startswith("_"):
        importlib.import_module(name)
assert all(name in found for name in wanted), (wanted, found)
print(len(found), "distributions;", *sorted(names))
"""

ALONE: Final = """
from importlib.metadata import distributions
from urllib.request import urlopen
from leeward_ran import explain_ran
assert [each.name for each in distributions()] == ["leeward-ran"]
try:
    urlopen("http://127.0.0.1:9/")
except OSError as error:
    print(explain_ran(error))
"""


def run(*command: str | Path, folder: str | Path = "/") -> str:
    """Run a command in a folder away from the tree, and return its output.

    Raises:
        RuntimeError: it failed; what it said is in the message.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")
    return done.stdout


def install(requirements: list[str], folder: Path, python: str | Path = sys.executable) -> Path:
    """Install into an empty environment, ours from `dist` alone; return its folder of programs."""
    uv = (sys.executable, "-m", "uv", "--quiet")
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    run(*uv, "venv", "--python", python, folder)
    # An index is asked for others only: ours are pinned to the files.
    own = [f"{name} @ {_wheel(name).as_uri()}" for name in OWN if list(DIST.glob(_pattern(name)))]
    pins = folder / "pins.txt"
    pins.write_text("\n".join(own), encoding="utf-8")
    into = ("pip", "install", "--no-sources", "--python", folder, "--find-links", DIST)
    run(*uv, *into, "--constraint", pins, *requirements)
    return programs


def _pattern(name: str) -> str:
    return f"{name.replace('-', '_')}-*.whl"


def _wheel(name: str) -> Path:
    (wheel,) = DIST.glob(_pattern(name))
    return wheel


def check_steps(python: str | Path, folder: Path) -> str:
    """Take the first steps of the quickstart, and run a third party's adapter against its contract.

    Returns:
        What the two suites said.
    """
    needed = ["leeward[cli]", "leeward-contract-tests", f"{ROOT / 'examples/plugin'}"]
    programs = install(needed, folder / "venv", python)
    pytest = (programs / "python", "-m", "pytest", "-q")
    run(programs / "leeward", "new", "help-desk", folder=folder)
    app = run(*pytest, folder=folder / "help-desk")
    ticket = ("create-ticket", '{"id": "7", "text": "lost keys"}')
    assert '"7"' in run(programs / "leeward", "invoke", *ticket, folder=folder / "help-desk")
    copytree(ROOT / "examples/plugin/tests", folder / "adapter/tests")
    beside = ("--import-mode=importlib", "--rootdir=.", "tests/test_contract.py")
    adapter = run(*pytest, *beside, folder=folder / "adapter")
    return "; ".join(said.splitlines()[-1] for said in (app, adapter))


def main() -> int:
    """Install each extra, and leeward with none; run the demonstration where there is a command."""
    for extra in sys.argv[1:] or ["", *EXTRAS]:
        with TemporaryDirectory() as folder:
            programs = install([f"leeward[{extra}]" if extra else "leeward"], Path(folder) / "venv")
            needed = [] if extra in ("", "all") else EXTRAS[extra]
            names = [re.split(r"[\[>~=<]", each)[0] for each in needed]
            text = run(programs / "python", "-I", "-c", IMPORTS, json.dumps([names, OWN]))
            if (programs / "typer").exists() or (programs / "typer.exe").exists():
                run(programs / "leeward", "demo")
                text = f"{text.strip()}; leeward demo\n"
            sys.stdout.write(f"{extra or 'leeward alone'}: {text}")
            sys.stdout.flush()
    if not sys.argv[1:]:
        with TemporaryDirectory() as folder:
            programs = install(["leeward-ran"], Path(folder) / "venv")
            sys.stdout.write(f"leeward-ran alone: {run(programs / 'python', '-I', '-c', ALONE)}")
        for python in filter(None, map(find, supported())):
            with TemporaryDirectory() as folder:
                said = check_steps(python.path, Path(folder))
            sys.stdout.write(f"an app and an adapter on {python.version}: {said}\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
