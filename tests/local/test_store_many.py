"""Many stores at once: one transaction, and the conditions of each for itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from leeward.calls import Key, Load, Store
from leeward.errors import Outcome
from leeward.local import Local
from leeward.opening import NameMappingDriver


def _store(n: int, key: str, **more: Any) -> Store:
    call = Store("t", Key(("id",), (key,)), {"id": key, "n": n}, f"w{n}", 100.0)
    return call._replace(**more)


def _writer(driver: Local, table: str, key: str) -> str | None:
    found: Any = driver.perform(Load(table, Key(("id",), (key,))), 5.0).value
    written: str | None = found.write_id
    return written


def test_each_store_has_a_result_of_its_own(opened: Callable[..., Local], path: Path) -> None:
    """A condition that does not hold stops none of the others; the last one of a key stays."""
    driver = opened(path=path)
    calls = [
        _store(1, "a"),
        _store(2, "a", if_absent=True),
        _store(3, "b", if_revision="w9"),
        _store(4, "b", if_absent=True),
        _store(5, "a", if_revision="w1"),
    ]
    ended = [each.outcome for each in driver.store_many(calls, 5.0)]
    assert ended == [
        *(Outcome.OK, Outcome.CONFLICT, Outcome.CONFLICT, Outcome.OK, Outcome.OK),
    ]
    assert [_writer(driver, "t", key) for key in "ab"] == ["w5", "w4"]


def test_many_stores_use_the_targets_own_names(opened: Callable[..., Local], path: Path) -> None:
    """And a driver that cannot do many at once says so by None, whatever stands around it."""
    local = opened(path=path)
    named = NameMappingDriver(local, {"table": {"t": "own"}})
    results = named.store_many([_store(1, "a")], 5.0)
    assert results is not None
    assert results[0].outcome is Outcome.OK
    assert _writer(local, "own", "a") == "w1"
    around = NameMappingDriver(named, {})
    assert around.store_many([_store(2, "b")], 5.0) is not None


def test_a_database_that_cannot_be_used_fails_them_all(tmp_path: Path) -> None:
    """Nothing was stored then."""
    driver = Local(path=tmp_path / "db.sqlite3")
    driver.close()
    assert [each.outcome for each in driver.store_many([_store(1, "a"), _store(2, "b")], 1.0)] == [
        Outcome.LOCAL,
        Outcome.LOCAL,
    ]
