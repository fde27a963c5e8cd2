from __future__ import annotations

from pathlib import Path

from packaging.requirements import Requirement

from leeward_contract_tests.rows import each_row
from tests.house.test_lock import ENTRY

LOCKS = sorted(Path(__file__).parent.glob("*/*.txt"))


@each_row("lock", LOCKS)
def test_a_server_is_locked_with_everything_that_it_needs(lock: Path) -> None:
    """Each lock has a version and a hash for everything, what is asked for among it, no address."""
    body = lock.read_text(encoding="utf-8").partition("\n")[2]
    entries = list(ENTRY.finditer(body))
    assert ENTRY.sub("", body).strip() == ""
    assert [
        e["requirement"] for e in entries if "==" not in e["requirement"] or not e["hashes"]
    ] == []
    locked = {r.name: r.specifier for r in (Requirement(e["requirement"]) for e in entries)}
    lines = lock.with_suffix(".in").read_text(encoding="utf-8").splitlines()
    for asked in [line for line in lines if not line.startswith("#")]:
        wanted = Requirement(asked)
        versions = [str(each.version) for each in locked[wanted.name]]
        assert all(wanted.specifier.contains(each) for each in versions)


def test_every_server_is_locked() -> None:
    """What is asked for in a file of its own has a lock beside it."""
    asked = sorted(Path(__file__).parent.glob("*/*.in"))
    assert [path.with_suffix(".txt") for path in asked] == LOCKS
    assert asked
