"""Apps and stages beside each other on one file: each takes its own."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leeward import App, Client, ConfigError, Event
from leeward.app.triggers import ObjectEvent
from leeward.local import Local
from leeward.status import read_moments
from leeward.stores import SCHEDULE, NewRow, Recipient
from leeward.testing import FakeClock
from leeward.worker import Worker
from tests.delivery.owners import roll
from tests.local.calls import until


def _app(name: str, seen: Counter[str], schedule: str = "0 0 1 1 *") -> App:
    """Return an app whose handlers have the names that those of each other app have."""
    app = App(name)

    @app.on_event("orders", name="remember")
    def remember(event: Event) -> None:
        seen[f"{name} event {event.id}"] += 1

    @app.on_message("letters", name="post")
    def post(letter: dict[str, str]) -> None:
        seen[f"{name} letter {letter['id']}"] += 1

    @app.function(name="resize", effect="idempotent", queued=True)
    def resize(image: dict[str, str]) -> None:
        seen[f"{name} image {image['id']}"] += 1

    @app.on_object("photos", name="shrink")
    def shrink(event: ObjectEvent) -> None:
        seen[f"{name} object {event.key}"] += 1

    @app.on_schedule(schedule, name="sweep")
    def sweep(moment: datetime) -> None:
        seen[f"{name} sweep {moment:%Y-%m-%d}"] += 1

    return app


def test_each_app_gets_each_event_and_runs_what_it_has_sent(tmp_path: Path) -> None:
    """Whoever has time takes a row, of the handlers of its own app alone."""
    seen: Counter[str] = Counter()
    path = tmp_path / "local.sqlite3"
    apps = {name: _app(name, seen) for name in ("shop", "mail")}
    clients = {name: Client(Local(path=path), app=app) for name, app in apps.items()}
    for name, client in clients.items():
        client.enqueue("letters", {"id": name})  # from now on each app has its handlers here
    for number in range(10):
        for name, client in clients.items():
            id = f"{name}-{number}"
            client.publish_event("orders", "made", id=id)
            client.enqueue("letters", {"id": id})
            client.enqueue("resize", {"id": id})
            client.put_object("photos", id, b"x")
    until(lambda: sum(seen.values()) >= 102)
    for client in clients.values():
        client.close()
    numbers = range(10)
    own = [f"{each} {word}-{number}" for each in apps for number in numbers for word in (
        f"letter {each}", f"image {each}", f"object {each}", "event shop", "event mail",
    )]  # fmt: skip
    assert seen == dict.fromkeys([*own, "shop letter shop", "mail letter mail"], 1)
    with closing(sqlite3.connect(path)) as rows:
        names = dict(rows.execute("SELECT subscriber, app FROM recipients WHERE bus = 'orders'"))
    assert names == {"remember": "shop", "mail/remember": "mail"}


def test_a_row_of_a_version_before_is_of_the_first_app(tmp_path: Path) -> None:
    """Which has its handler; and of no other one."""
    seen: Counter[str] = Counter()
    path = tmp_path / "local.sqlite3"
    with closing(Local(path=path)) as before:
        row = NewRow(Recipient("", "letters"), None, "k", json.dumps({"id": "1"}))
        before.stores().deliveries.add([row], 5)
    for name in ("mail", "shop"):
        with Client(Local(path=path), app=_app(name, seen)) as client:
            client.enqueue("letters", {"id": "2"})
            until(lambda: seen[f"{name} letter 2"])  # noqa: B023 - at once
    assert seen == {"mail letter 1": 1, "mail letter 2": 1, "shop letter 2": 1}


def test_a_file_belongs_to_one_stage(tmp_path: Path) -> None:
    """Which an app has there first; another one's app is refused, with both names."""
    seen: Counter[str] = Counter()
    path = tmp_path / "local.sqlite3"
    app = _app("shop", seen)
    with Client(Local(path=path), app=app) as client:  # no stage: any may come
        client.enqueue("letters", {"id": "1"})
    for stage, words in (("prod", None), ("test", "'prod'.*'test'"), (None, "'prod'.*is none")):
        local = Local(path=path, stage=stage)
        with Client(local, app=app) as client:
            if words is None:
                client.enqueue("letters", {"id": "1"})
                continue
            with pytest.raises(ConfigError, match=rf"{words}.*`path`.*LEEWARD_STAGE"):
                client.enqueue("letters", {"id": "1"})
            worker = Worker(app, Local(path=path, stage=stage))
            with pytest.raises(ConfigError, match=words):
                worker.start()
            worker.drain()


def test_a_schedule_that_a_deploy_changes_does_not_run_again(tmp_path: Path) -> None:
    """Two versions that roll, each started twice: what ran yesterday ran; what is new is due."""
    seen: Counter[str] = Counter()
    clock = FakeClock(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp())
    monthly, later = "0 3 1 * *", "0 4 1 * *"

    def work(*schedules: str) -> None:
        """Work for a while with a version of each schedule, begun in this order."""
        workers = [
            Worker(_app("shop", seen, each), Local(path=tmp_path / "a", clock=clock), clock=clock)
            for each in schedules
        ]
        for each in workers:
            each.start()
            time.sleep(0.1)
        for each in workers:
            each.drain()

    work(monthly)
    clock.advance(timedelta(days=31).total_seconds())  # the first of April, made up for
    work(monthly)
    assert seen == {"shop sweep 2026-04-01": 1}
    clock.advance(timedelta(days=1).total_seconds())
    for schedules in ((later,), (monthly, later), (later, monthly), (monthly,), (later, later)):
        work(*schedules)
    assert seen == {"shop sweep 2026-04-01": 1}
    clock.advance(timedelta(days=31).total_seconds())
    work(later)
    assert seen == {"shop sweep 2026-04-01": 1, "shop sweep 2026-05-01": 1}


def test_a_series_of_a_version_before_goes_on(tmp_path: Path) -> None:
    """It has no expression: what was due while nobody worked is made up for."""
    seen: Counter[str] = Counter()
    clock = FakeClock(datetime(2026, 3, 2, tzinfo=UTC).timestamp())
    local = Local(path=tmp_path / "a", clock=clock)
    last = datetime(2026, 2, 1, 3, tzinfo=UTC).timestamp()
    row = NewRow(Recipient(SCHEDULE, "sweep"), None, "k", json.dumps("2026-02-01T03:00:00+00:00"))
    local.stores().schedules.add("schedule sweep", last, row, 5, clock.now())
    with Worker(_app("shop", seen, "0 3 1 * *"), local, clock=clock):
        until(lambda: sum(seen.values()) >= 2)
    assert seen == {"shop sweep 2026-02-01": 1, "shop sweep 2026-03-01": 1}


@pytest.mark.parametrize("seed", range(4))
def test_two_apps_two_stages_and_two_versions_take_their_own(tmp_path: Path, seed: int) -> None:
    """Whoever begins and ends beside whom; the stage that comes second is refused."""
    path = tmp_path / "local.sqlite3"
    ledger = roll(lambda stage: Local(path=path, stage=stage), seed)
    assert len(ledger.sent) > 12


def test_a_schedule_of_the_second_app_is_shown_as_its_own(tmp_path: Path) -> None:
    """Under the name of its handler, with its own last moment and its own rows."""
    seen: Counter[str] = Counter()
    begun = {"shop": 1000.0, "mail": 2000.0}
    for name, now in begun.items():
        local = Local(path=tmp_path / "a", clock=FakeClock(now))
        app = _app(name, seen)
        with Worker(app, local, clock=FakeClock(now)):
            assert read_moments(local, app)["sweep"] == now
            (own,) = (each for each in local._runner.handlers() if each.bus == SCHEDULE)
            assert own.subscriber == ("sweep" if name == "shop" else "mail/sweep")
    with closing(Local(path=tmp_path / "a")) as local:
        assert read_moments(local) == {"sweep": 1000.0, "mail/sweep": 2000.0}
