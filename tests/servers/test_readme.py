"""The page about the servers names them all, and the tests by which each is vouched for."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
README = (HERE / "README.md").read_text(encoding="utf-8")

SERVER = re.compile(r"^class (\w+)\((?:AnsweringServer|GoogleApi|ServerProcess)\)", re.MULTILINE)


def test_every_server_is_on_the_page() -> None:
    """A stub of which nobody says who vouches for it proves nothing."""
    modules = [path for path in HERE.glob("*/*.py") if not path.name.startswith("test_")]
    servers = [name for path in modules for name in SERVER.findall(path.read_text("utf-8"))]
    assert len(servers) > 12
    assert [name for name in servers if f"`{name}`" not in README] == []


def test_every_test_on_the_page_is_there() -> None:
    """The page sends nobody to a file that has gone."""
    named = re.findall(r"`([\w/]*test_\w+\.py)`", README)
    assert len(named) > 12
    places = (HERE, HERE.parents[1])
    assert [name for name in named if not any((each / name).exists() for each in places)] == []
