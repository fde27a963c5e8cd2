from __future__ import annotations

import leeward
from tests.house.workspace import members, read_pyproject


def test_every_member_and_the_package_tell_one_version() -> None:
    """The distributions are released together, under one version that `leeward` knows."""
    versions = {
        project["name"]: project["version"]
        for project in (read_pyproject(directory)["project"] for directory in members())
    }
    assert versions == dict.fromkeys(versions, leeward.__version__)
