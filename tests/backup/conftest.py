"""A client with a table and a bucket on one embedded target, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from leeward import Client, Config
from leeward.adapter import WrappingDriver
from leeward.calls import Call, Result
from leeward.config import TableConfig
from leeward.local import Local
from leeward.testing import FakeClock
from leeward_backup import Backups
from leeward_contract_tests.fixtures import PAIR

START = 1_767_225_600.0


class Counting(WrappingDriver):
    """Keeps the names of the objects that somebody tries to put."""

    def __init__(self, driver: Any, puts: list[str]) -> None:
        super().__init__(driver)
        self._puts = puts

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if call.verb == "put_object":
            self._puts.append(call.name)
        return super().perform(call, timeout)


class World:
    """An embedded target, and backups of its tables.

    Args:
        folder: everything is there.
        stack: closes what is opened.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.clock = FakeClock(START)
        self.steps: list[Any] = []
        self._stack = stack

    def client(self, wrap: Callable[[Any], Any] = lambda driver: driver) -> Client:
        """Open a client; many may be open."""
        driver = wrap(Local(path=self.folder / "db.sqlite3"))
        config = Config(tables={name: TableConfig(key=PAIR) for name in ("pairs", "others")})
        return self._stack.enter_context(Client(driver, config=config, clock=self.clock))

    def backups(self, client: Client, table: str = "orders", **more: Any) -> Backups:
        """Return the backups of a table."""
        work = self.folder / "work"
        more = {"work": work, "look": self.steps.append, **more}
        return Backups(client, table, "backups/shop", **more)

    @property
    def leftovers(self) -> list[Path]:
        """The work files that are there."""
        work = self.folder / "work"
        return [*work.iterdir()] if work.is_dir() else []


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give an embedded target, and what backups need."""
    with ExitStack() as stack:
        yield World(tmp_path, stack)
