import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest

from leeward._items.profile import EMBEDDED
from leeward.adapter import Capability, Limits
from leeward.errors import ConfigError, LeewardError, Outcome
from leeward.local import Local
from tests.local.calls import (
    PATIENT,
    delete,
    enqueue,
    event,
    invoke,
    load,
    publish,
    scan,
    store,
    value_of,
)


def test_it_declares_every_capability_of_a_driver_and_the_portable_limits(cloud: Local) -> None:
    """What runs here fits every cloud."""
    assert cloud.target == "local"
    assert Local("local:two").target == "local:two"
    runs = {Capability.WORKFLOWS, Capability.SINGLE_STARTS}
    assert cloud.capabilities == frozenset(Capability) - runs  # the client itself has those
    assert cloud.limits == Limits(batch_events=1000, model=EMBEDDED.name)


def test_targets_in_one_process_are_independent(opened: Callable[..., Local]) -> None:
    """Neither data nor functions nor subscriptions are shared."""
    one, other = opened(), opened()
    seen: list[object] = []
    one.function("f")(lambda _: 1)
    one.subscribe("orders")(seen.append)
    one.perform(store(), 5)
    assert value_of(other.perform(load(), 5)) is None
    assert other.perform(invoke(), 5).outcome is Outcome.NOT_FOUND
    other.perform(publish(), 5)
    one.wait_idle(PATIENT)
    other.wait_idle(PATIENT)
    assert seen == []


def test_after_close_every_verb_is_refused_here(cloud: Local) -> None:
    """Nothing runs any more, and closing twice is harmless."""
    cloud.function("f")(lambda _: None)
    cloud.perform(store(), 5)
    cloud.close()
    cloud.close()
    calls = invoke(), enqueue(), publish(), store(), load(), delete(), scan()
    for call in calls:
        result = cloud.perform(call, 5)
        assert (result.outcome, result.message) == (Outcome.LOCAL, "closed")


def leased(path: Path) -> int:
    """Count the rows whose attempt has not ended."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT count(*) FROM deliveries WHERE lease IS NOT NULL").fetchall()
    connection.close()
    return int(rows[0][0])


def test_close_leaves_no_lease_behind(opened: Callable[..., Local], path: Path) -> None:
    """What the loop has taken is delivered; what it has not is free for the next process."""
    first = opened(path=path)
    first.subscribe("orders", name="s")(lambda event: None)
    for number in range(20):
        first.perform(publish(event(str(number))), 5)
    first.close()
    assert leased(path) == 0


def test_close_waits_for_a_subscriber_under_way(
    opened: Callable[..., Local], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it handles is still written down, so that no process gets it again."""
    monkeypatch.setattr("leeward._delivery.dispatcher.GRACE", PATIENT)
    cloud = opened(path=path)
    started, go = Flag(), Flag()

    @cloud.subscribe("orders", name="s")
    def subscriber(event: object) -> None:
        started.set()
        assert go.wait(PATIENT)

    cloud.perform(publish(), 5)
    assert started.wait(PATIENT)
    closing = Thread(target=cloud.close)
    closing.start()
    closing.join(0.1)
    assert closing.is_alive()
    go.set()
    closing.join(PATIENT)
    assert leased(path) == 0


def test_a_subscriber_may_close(cloud: Local) -> None:
    """Closing from within does not wait for itself."""
    closed = Flag()

    @cloud.subscribe("orders")
    def subscriber(event: object) -> None:
        cloud.close()
        closed.set()

    cloud.perform(publish(), 5)
    assert closed.wait(PATIENT)


@pytest.mark.parametrize("memory", [True, False])
def test_native_tables_is_a_connection_to_the_same_data(
    opened: Callable[..., Local], path: Path, memory: bool
) -> None:
    """It sees what is stored, and what it writes is seen."""
    cloud = opened() if memory else opened(path=path)
    connection: Any = cloud.native("tables")
    assert isinstance(connection, sqlite3.Connection)
    cloud.perform(store(), 5)
    assert connection.execute("SELECT count(*) FROM items").fetchone() == (1,)
    with connection:
        connection.execute("DELETE FROM items")
    assert value_of(cloud.perform(load(), 5)) is None
    connection.close()


def test_native_tables_of_an_old_sqlite(cloud: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 3.36 a memory database cannot be opened twice: the data works, native says why."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 35, 5))
    value_of(cloud.perform(store(), 5))
    assert value_of(cloud.perform(load(), 5)) is not None
    with pytest.raises(ConfigError, match="give a path"):
        cloud.native("tables")


def test_native_tables_of_a_closed_target(cloud: Local) -> None:
    """There is no connection any more."""
    cloud.close()
    with pytest.raises(LeewardError, match="closed"):
        cloud.native("tables")


def test_the_import_is_cheap() -> None:
    """The package loads none of its parts before one of them is asked for."""
    program = (
        "import leeward.local, sys; leeward.local.open_driver;"
        "print([name for name in sys.modules if name in"
        " {'sqlite3', 'json', 'threading', 'inspect', 'leeward.local.driver'}])"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {program}"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "[]"


def test_a_program_without_failures_loads_no_logging() -> None:
    """Only the first event that is worth a line does."""
    program = (
        "from tests.local.calls import *; from leeward.local import Local; import sys\n"
        "cloud = Local(); cloud.function('f')(lambda _: 1); cloud.subscribe('orders')(print)\n"
        "value_of(cloud.perform(store(), 5)); value_of(cloud.perform(invoke(), 5))\n"
        "before = 'logging' in sys.modules\n"
        "cloud.subscribe('bad')(lambda _: 1 / 0); cloud.perform(publish(bus='bad'), 5)\n"
        "cloud.wait_idle(30); cloud.close(); print(before, 'logging' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{program}"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "False True"
    assert done.stderr.count("handler_failed") == 5, "without a handler it goes to stderr"
