from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.house.conftest import Dist, build_wheel, uv
from tests.house.workspace import ROOT, members, read_pyproject

pytestmark = pytest.mark.packaging

METADATA = {".gitignore", "PKG-INFO", "pyproject.toml"}
"""What the build backend puts into every sdist."""

SDISTS = {
    "leeward": {"src/leeward", "README.md", "LICENSE", "CHANGELOG.md", "hatch_build.py"},
    "leeward_contract_tests": {"src/leeward_contract_tests", "README.md", "LICENSE"},
    "leeward_backup": {"src/leeward_backup", "README.md", "LICENSE"},
    "leeward_deploy": {"src/leeward_deploy", "README.md", "LICENSE"},
    "leeward_dev": {"src/leeward_dev", "README.md", "LICENSE"},
    "leeward_integrations": {"src/leeward_integrations", "README.md", "LICENSE"},
    "leeward_lose_answers": {"src/leeward_lose_answers", "README.md", "LICENSE"},
    "leeward_ran": {"src/leeward_ran", "README.md", "LICENSE"},
    "leeward_aws": {"src/leeward_aws", "README.md", "LICENSE"},
    "leeward_azure": {"src/leeward_azure", "README.md", "LICENSE"},
    "leeward_google": {"src/leeward_google", "README.md", "LICENSE"},
    "leeward_http": {"src/leeward_http", "README.md", "LICENSE"},
    "leeward_postgres": {"src/leeward_postgres", "README.md", "LICENSE"},
    "leeward_nimbus": {"src/leeward_nimbus", "README.md", "LICENSE"},
    "leeward_stratus": {"src/leeward_stratus", "README.md", "LICENSE"},
}
"""What belongs into each sdist, besides: files, and folders under src."""


def _wheel(folder: Path, name: str) -> Path:
    (wheel,) = folder.glob(f"{name}-*.whl")
    return wheel


def _sdist(dist: Dist, name: str) -> Path:
    (sdist,) = dist.sdists.glob(f"{name}-*.tar.gz")
    return sdist


def _contents(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def _installed(venv: Path, *requirements: str) -> Path:
    """Install into an empty environment; give the folder of its programs."""
    uv("venv", "--python", sys.executable, venv)
    uv("pip", "install", "--python", venv / "bin/python", *requirements)
    return venv / "bin"


def _output_of(*command: str | Path) -> str:
    """Run `command` away from the source tree."""
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_member_is_checked_here() -> None:
    """A new member has to say what belongs into its sdist."""
    names = [read_pyproject(directory)["project"]["name"] for directory in members()]
    assert {name.replace("-", "_") for name in names} == set(SDISTS)


@pytest.mark.parametrize("name", SDISTS)
def test_a_wheel_is_one_typed_licensed_package(dist: Dist, name: str) -> None:
    """A wheel holds its package, the marker that it is typed, and the licence."""
    wheel = _wheel(dist.wheels, name)
    contents = _contents(wheel)
    (info,) = {top for each in contents if (top := each.partition("/")[0]).endswith(".dist-info")}
    assert {each.partition("/")[0] for each in contents} == {name, info}
    assert f"{name}/py.typed" in contents
    with ZipFile(wheel) as archive:
        assert archive.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_every_link_of_a_long_description_works(
    dist: Dist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is relative to an index; those of a release lead to files of the tree, at its tag."""
    monkeypatch.setenv("LEEWARD_REPOSITORY", "https://forge.example/leeward")
    build_wheel(ROOT, tmp_path)
    tag = f"v{read_pyproject(ROOT)['project']['version']}"
    released = sorted(SDISTS.keys() - {"leeward_nimbus", "leeward_stratus"})  # no examples
    wheels = [*(_wheel(dist.wheels, each) for each in released), _wheel(tmp_path, "leeward")]
    links = {wheel: re.findall(r"(!?)\[[^]]*]\(([^)]+)\)", _describe(wheel)) for wheel in wheels}
    assert {link for each in links.values() for _, link in each if ":" not in link} == set()
    own = dict.fromkeys(link for link in links[wheels[-1]] if "forge.example" in link[1])
    assert len(own) > 30
    for mark, link in own:
        start = f"https://forge.example/leeward/{'raw' if mark else 'blob'}/{tag}/"
        assert (ROOT / link.removeprefix(start)).is_file(), link


def _describe(wheel: Path) -> str:
    with ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return archive.read(name).decode().partition("\n\n")[2]


@pytest.mark.parametrize("name", SDISTS)
def test_an_sdist_holds_only_what_belongs_to_it(dist: Dist, name: str) -> None:
    """No tests, caches, lock or other member slips into an sdist."""
    with tarfile.open(_sdist(dist, name)) as archive:
        files = [Path(each.name).parts[1:] for each in archive.getmembers() if each.isfile()]
    belongings = {"/".join(parts[:2] if parts[0] == "src" else parts[:1]) for parts in files}
    assert belongings - METADATA == SDISTS[name]
    assert [parts for parts in files if "__pycache__" in parts] == []


@pytest.mark.parametrize("name", SDISTS)
def test_an_sdist_builds_the_same_wheel_as_the_tree(dist: Dist, name: str) -> None:
    """What a distributor builds from the sdist has the files that we build from the tree."""
    of_sdist = _contents(_wheel(dist.sdists, name))
    assert of_sdist == _contents(_wheel(dist.wheels, name))


def test_leeward_alone_needs_nothing_else(dist: Dist, tmp_path: Path) -> None:
    """The core installs without dependencies, and gives the client."""
    bin_ = _installed(tmp_path / "venv", "--no-index", str(_wheel(dist.wheels, "leeward")))
    _output_of(bin_ / "python", "-I", "-c", "from leeward import Client")


def test_what_ran_needs_nothing_else(dist: Dist, tmp_path: Path) -> None:
    """leeward-ran installs without leeward, and answers."""
    bin_ = _installed(tmp_path / "venv", "--no-index", str(_wheel(dist.wheels, "leeward_ran")))
    said = _output_of(
        bin_ / "python", "-I", "-c", "import leeward_ran as r; print(r.ran(OSError()))"
    )
    assert said == "maybe\n"


def test_the_cli_extra_brings_the_command(dist: Dist, tmp_path: Path) -> None:
    """`leeward[cli]` installs a `leeward` command that tells the version."""
    bin_ = _installed(tmp_path / "venv", f"{_wheel(dist.wheels, 'leeward')}[cli]")
    version = read_pyproject(ROOT)["project"]["version"]
    assert version in _output_of(bin_ / "leeward", "version").split()


@pytest.mark.parametrize("name", sorted(set(SDISTS) - {"leeward"}))
def test_a_member_declares_all_that_it_imports(dist: Dist, name: str, tmp_path: Path) -> None:
    """Installed beside the core, a member's declared dependencies are enough to import it."""
    wheels = [str(_wheel(dist.wheels, each)) for each in ("leeward", name)]
    bin_ = _installed(tmp_path / "venv", "--find-links", str(dist.wheels), *wheels)
    _output_of(bin_ / "python", "-I", "-c", f"import {name}")
