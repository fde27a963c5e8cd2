from __future__ import annotations

from typing import Any

import leeward
from leeward_contract_tests.rows import each_row
from tests.house.workspace import ROOT, members, read_pyproject


def test_every_member_and_the_package_tell_one_version() -> None:
    """The distributions are released together, under one version that `leeward` knows."""
    versions = {
        project["name"]: project["version"]
        for project in (read_pyproject(directory)["project"] for directory in members())
    }
    assert versions == dict.fromkeys(versions, leeward.__version__)


RELEASED = [each for each in members() if "examples" not in each.parts]
CORE = read_pyproject(ROOT)["project"]


def common(project: dict[str, Any]) -> dict[str, Any]:
    """Return what a distribution has to share with the others; a framework is its own affair."""
    classifiers = [each for each in project["classifiers"] if not each.startswith("Framework")]
    fields = ("license", "license-files", "readme", "requires-python", "urls")
    # The core's README has its links made absolute on the way: hatch_build.py.
    named = {"readme": "README.md", **project}
    return {"classifiers": classifiers, **{field: named.get(field) for field in fields}}


@each_row("name", [each.relative_to(ROOT).as_posix() for each in RELEASED])
def test_every_distribution_says_the_same_of_itself(name: str) -> None:
    """Licence, page, Pythons, classifiers, addresses; and in a sentence what it is."""
    project = read_pyproject(ROOT / name)["project"]
    assert common(project) == common(CORE)
    assert project["description"].endswith(".")
    assert (ROOT / name / "README.md").read_text(encoding="utf-8").startswith("# leeward")
    assert (ROOT / name / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
