"""Backups from a schedule: one for each time, in as many runs as it takes, checked and drilled."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from leeward import App, Client, ConfigError, Receipt
from leeward.adapter import WrappingDriver
from leeward.app.answers import HandlerFailure
from leeward.app.handlers import answer
from leeward.app.triggers import Delivery, Input, Platform
from leeward.calls import Call, Result
from leeward.local import Local
from leeward.testing import FakeClock
from leeward_backup import schedule_backup, tables
from leeward_backup.checkpoints import WorkFile
from tests.backup.conftest import START, World
from tests.backup.test_crashes import Killed, Killing, Steps
from tests.local.calls import PATIENT

FRIDAY = datetime(2026, 1, 2, 2, 0, tzinfo=UTC)
SUNDAY = datetime(2026, 1, 4, 2, 0, tzinfo=UTC)
ID = "back-up-orders-20260102T0200Z"
SECONDS = 30.0


class Queueing(WrappingDriver):
    """Takes queued calls for the test, and lets each page of a scan take time."""

    def __init__(self, driver: Any, cloud: Cloud, page_seconds: float) -> None:
        super().__init__(driver)
        self._cloud = cloud
        self._seconds = page_seconds

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if call.verb == "enqueue":
            self._cloud.queue.append((call.function, json.loads(call.payload)))
            return Result.ok(None)
        if call.verb == "scan":
            self._cloud.world.clock.advance(self._seconds)
        return super().perform(call, timeout)


class Cloud:
    """A cloud with one app, which runs what the test delivers; each run may be on a new machine."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.queue: list[tuple[str, Any]] = []
        self.app = App("shop")
        self.runs = 0
        self.page_seconds = 0.0
        self.wrap: Callable[[Any], Any] = lambda driver: driver

    def client(self) -> Client:
        """Open the app's client."""
        return self.world.client(
            lambda driver: Queueing(self.wrap(driver), self, self.page_seconds)
        )

    def schedule(self, **options: Any) -> None:
        """Let the app back up its table each night."""
        store = options.pop("store", "backups/shop")
        schedule_backup(self.app, "0 2 * * *", "orders", store, client=self.client, **options)

    def deliver(self, name: str, given: Input) -> HandlerFailure | None:
        """Run a handler once, on a machine of its own."""
        self.runs += 1
        platform = Platform("local", None, self.world.clock)
        return answer(
            self.app.handlers[name], Delivery(given, "id", "key", SECONDS), platform
        ).failure

    def tick(self, nominal: datetime = FRIDAY) -> HandlerFailure | None:
        """Let the schedule be due, and do all that is queued."""
        failure = self.deliver("back-up-orders", nominal)
        while self.queue:
            name, payload = self.queue.pop(0)
            failure = failure or self.deliver(name, json.dumps(payload).encode())
        return failure

    def backups(self) -> list[tuple[str, int]]:
        """Return the backups that there are: id and items."""
        return [(each.id, each.items) for each in self.world.backups(self.world.client()).list()]


@pytest.fixture
def cloud(world: World, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Give a cloud with an app whose table has items."""
    monkeypatch.setattr(tables, "FIRST_PAGE", 1)
    monkeypatch.setattr(tables, "LARGEST_PAGE", 1)
    client = world.client()
    for n in range(3):
        client.store_data("orders", {"id": f"order-{n}"})
    return Cloud(world)


def options(cloud: Cloud) -> dict[str, Any]:
    """Return options with a work folder in the world's."""
    return {"work": cloud.world.folder / "work"}


def test_a_run_makes_the_backup_of_its_time_once(cloud: Cloud) -> None:
    """A second delivery, later and after a change, is a no-op; the next night has its own."""
    cloud.schedule(**options(cloud))
    assert cloud.tick() is None
    cloud.world.client().store_data("orders", {"id": "late"})
    cloud.world.clock.advance(3600)
    assert cloud.tick() is None
    assert cloud.backups() == [(ID, 3)]
    assert cloud.tick(SUNDAY) is None
    assert [items for _, items in cloud.backups()] == [3, 4]
    assert cloud.runs == 3


def test_a_table_may_have_underscores_in_its_name(cloud: Cloud) -> None:
    """Functions may not, on every cloud; `leeward backup schedule` has no other name to give."""
    schedule_backup(cloud.app, "0 2 * * *", "order_items", "backups", client=cloud.client)
    assert [*cloud.app.handlers] == ["back-up-order-items", "back-up-order-items-rest"]


def test_a_run_that_does_not_fit_goes_on_in_others(cloud: Cloud) -> None:
    """Of 30 seconds, with 25 for a page, each gets on by one; then the backup is checked."""
    cloud.page_seconds = 25.0
    cloud.schedule(**options(cloud))
    assert cloud.tick() is None
    assert cloud.backups() == [(ID, 3)]
    assert cloud.runs > 3
    assert cloud.world.leftovers == []


def test_what_is_not_done_within_a_day_is_given_up(cloud: Cloud) -> None:
    """It would begin anew, and go on without end beside those of all nights that follow."""
    cloud.page_seconds = 13 * 3600.0
    cloud.schedule(**options(cloud))
    failure = cloud.deliver("back-up-orders", FRIDAY)
    while cloud.queue and cloud.runs < 20:
        name, payload = cloud.queue.pop(0)
        failure = cloud.deliver(name, json.dumps(payload).encode())
    assert cloud.queue == []
    assert failure is not None
    assert f"the backup {ID} was not done within a day" in str(failure.cause)


def test_a_run_that_is_killed_anywhere_is_made_good_by_its_next_delivery(cloud: Cloud) -> None:
    """Before and after each write: one backup of that time, which is whole."""
    met, none = 0, Steps(10_000)
    for step in range(200):
        steps = Steps(step)
        cloud.app = App("shop")
        cloud.wrap = partial(Killing, steps=steps)
        store = f"backups/at-{step}"
        schedule_backup(
            cloud.app, "0 2 * * *", "orders", store, client=cloud.client, name="b", **options(cloud)
        )
        handler = cloud.app.handlers["b"].function
        context = _context(cloud)
        try:
            handler(FRIDAY, context)
        except Killed:
            met += 1
        else:
            break
        cloud.wrap = partial(Killing, steps=none)
        handler(FRIDAY, _context(cloud))
        found = cloud.world.backups(cloud.world.client())
        again = type(found)(cloud.world.client(), "orders", store)
        assert [(each.id, each.items) for each in again.list()] == [("b-20260102T0200Z", 3)]
        assert again.check(deep=True).findings == ()
        assert cloud.queue == []
    assert met > 10


def _context(cloud: Cloud) -> Any:
    from leeward import Context

    clock = cloud.world.clock
    return Context("b", "key", 1, clock.monotonic() + SECONDS, clock)


def test_each_backup_is_checked_and_some_are_drilled(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    """On the day that was named; a lost segment fails the run, and is named."""
    caplog.set_level(logging.INFO, "leeward.backup")
    cloud.schedule(drill="sunday", **options(cloud))
    assert cloud.tick() is None
    assert cloud.tick(SUNDAY) is None
    own = [record for record in caplog.records if record.name == "leeward.backup"]
    told = [record.getMessage().split()[0] for record in own]
    assert told == ["backup_made", "backup_made", "backup_verified"]
    client = cloud.world.client()
    segment = client.list_objects("backups", "shop/orders/segments/").objects[0].name
    client.delete_object("backups", segment)
    failure = cloud.tick()
    assert failure is not None
    assert f"{segment}: it is lost" in str(failure.cause)


def test_a_run_leaves_to_another_what_that_works_on(cloud: Cloud) -> None:
    """It ends well: the other one is delivered again if it ends badly."""
    cloud.schedule(**options(cloud))
    work = WorkFile(
        cloud.world.folder / "work",
        {
            "run": "create",
            "table": "orders",
            "folder": "backups/shop/orders/",
            "key": None,
            "id": ID,
        },
    )
    with work.hold():
        assert cloud.tick() is None
    assert cloud.backups() == []
    assert cloud.tick() is None
    assert cloud.backups() == [(ID, 3)]


def test_it_runs_on_the_embedded_target(tmp_path: Path) -> None:
    """The app's schedule is due, and its queued function goes on; nothing else is needed."""
    tmp_path.chmod(0o700)
    clock = FakeClock(START)
    local = Local(path=tmp_path / "db.sqlite3", clock=clock)
    app = App("shop")
    with Client(local, clock=clock) as client:
        schedule_backup(
            app, "*/5 * * * *", "orders", "backups", client=lambda: client, work=tmp_path / "work"
        )
        local.mount(app)
        client.store_data("orders", {"id": "42"})
        local._runner.schedules.close()  # the test looks itself
        clock.advance(300)
        local._runner.schedules.look()
        local.wait_idle(PATIENT)
        receipt = client.enqueue(
            "back-up-orders-rest", {"time": "2026-01-02T02:00+00:00", "step": "create"}
        )
        assert isinstance(receipt, Receipt)
        local.wait_idle(PATIENT)
        names = [each.name for each in client.list_objects("backups", "orders/manifests/").objects]
    assert [name.rpartition("Z-")[2] for name in names] == [
        "back-up-orders-20260101T0005Z.json",
        f"{ID}.json",
    ]


def test_what_cannot_be_is_refused(cloud: Cloud, subtests: pytest.Subtests) -> None:
    """With the argument and the remedy, before anything is registered."""
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"drill": "sonntag"}, "drill must be one of monday, tuesday"),
        ({"name": "n" * 41}, "more than 40 characters"),
        ({"name": "no_name"}, "letters, digits and hyphens"),
        ({"timeout": -1}, "timeout must be a positive number"),
        ({"rate": 0}, "rate must be a positive number"),
        ({"store": ""}, "store must be a non-empty string"),
        ({"store": "/shop"}, "it must be BUCKET or BUCKET/PREFIX"),
    ]
    for given, told in wrong:
        with subtests.test(told), pytest.raises(ConfigError, match=told):
            cloud.schedule(**given)
    assert not cloud.app.handlers
    cloud.schedule()
    failure = cloud.deliver(
        "back-up-orders-rest", b'{"time": "2026-01-02T02:00", "step": "create"}'
    )
    assert failure is not None
    assert not failure.retryable
