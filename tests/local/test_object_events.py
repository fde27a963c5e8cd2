"""Objects on `local` reach their handlers: durably, at least once, if they are still there."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from leeward import App, Client, Context
from leeward.app import ObjectEvent
from leeward.app.checks import check_free
from leeward.local import Local, object_events
from leeward.testing import FakeClock
from tests.local.calls import dispatcher_of

DIES = """
import os, sys
from leeward import App, Client
from leeward.local import Local

app = App("shop")
app.on_object("inbox", prefix="in/", name="note")(print)
local = Local(path=sys.argv[1])
cloud = Client(local, app=app)
[dispatcher] = local._runner._dispatchers.values()
dispatcher._loop.lock.acquire()  # so that nothing is delivered here
cloud.put_object("inbox", "in/a", b"")
os.kill(os.getpid(), 9)
"""


def app_that_notes(seen: list[Any]) -> App:
    """Make an app that notes the objects it is given."""
    app = App("shop")

    @app.on_object("inbox", prefix="in/")
    def note(arrived: ObjectEvent, context: Context) -> None:
        seen.append((arrived, context.idempotency_key))

    return app


@contextmanager
def opened(path: Path, app: App | None = None) -> Iterator[tuple[Client, Local]]:
    """Open the store of a folder, with an app or without."""
    local = Local(path=path / "shop.sqlite3")
    with Client(local, app=app) as cloud:
        yield cloud, local


def rows(path: Path) -> int:
    """Count the rows that wait."""
    with closing(sqlite3.connect(path / "shop.sqlite3")) as found:
        return int(found.execute("SELECT count(*) FROM deliveries").fetchone()[0])


def test_each_write_is_told_with_what_is_known_of_it(tmp_path: Path) -> None:
    """Its version is its revision; later ones have a greater sequence; other keys are nobody's."""
    seen: list[Any] = []
    with opened(tmp_path, app_that_notes(seen)) as (cloud, local):
        receipts = []
        for body in (b"one", b"three"):
            receipts.append(cloud.put_object("inbox", "in/a b+c/é.txt", body))
            local.wait_idle(30)
        cloud.put_object("inbox", "out/a", b"")
        cloud.put_object("other", "in/a", b"")
        local.wait_idle(30)
    (one, key), (two, _) = seen
    assert one[:4] == ("inbox", "in/a b+c/é.txt", receipts[0].revision, 3)
    assert one.revision == one.version
    assert key == f"inbox/in/a b+c/é.txt#{receipts[0].revision}"
    assert (two.version, two.size, two.sequence > one.sequence) == (receipts[1].revision, 5, True)
    assert two.time >= one.time


def test_a_later_write_has_the_greater_sequence_whatever_the_clock_says(tmp_path: Path) -> None:
    """By it pipelines tell which version is the newer one, also of an object that was deleted."""
    seen: list[Any] = []
    clock = FakeClock()
    for body in (b"one", b"three"):
        local = Local(path=tmp_path / "shop.sqlite3", clock=clock)
        with Client(local, app=app_that_notes(seen)) as cloud:
            cloud.put_object("inbox", "in/a", body)
            local.wait_idle(30)
            cloud.delete_object("inbox", "in/a")
        clock.advance(-3600)
    (one, _), (two, _) = seen
    assert (one.size, two.size, two.sequence > one.sequence) == (3, 5, True)


def test_what_a_process_that_has_died_has_put_is_told_by_the_next(tmp_path: Path) -> None:
    """The rows are in the file, beside the objects."""
    seen: list[Any] = []
    path = str(tmp_path / "shop.sqlite3")
    ended = subprocess.run([sys.executable, "-c", DIES, path], check=False)
    assert (ended.returncode, rows(tmp_path)) == (-9, 1)
    with opened(tmp_path, app_that_notes(seen)) as (_, local):
        local.wait_idle(60)
    assert [each.key for each, _ in seen] == ["in/a"]


def test_a_write_that_has_not_taken_place_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row and the object are one transaction: a crash in between leaves neither."""
    seen: list[Any] = []

    def crash(*_: object) -> None:
        raise SystemExit

    with opened(tmp_path, app_that_notes(seen)) as (cloud, local):
        with monkeypatch.context() as patched:
            patched.setattr(object_events, "insert_behind", crash)
            with pytest.raises(SystemExit):
                cloud.put_object("inbox", "in/lost", b"")
        assert (rows(tmp_path), cloud.get_object("inbox", "in/lost")) == (0, None)
        cloud.put_object("inbox", "in/lost", b"again")
        local.wait_idle(30)
    assert [each.size for each, _ in seen] == [5]


def test_what_is_gone_or_replaced_before_its_turn_is_not_told(tmp_path: Path) -> None:
    """What has replaced it has a row of its own; of what is deleted there is nothing to tell."""
    seen: list[Any] = []
    local = Local(path=tmp_path / "shop.sqlite3")
    with Client(local, app=app_that_notes(seen)) as cloud, dispatcher_of(local)._loop.lock:
        # The loop needs the lock for its next turn, so nothing is delivered meanwhile.
        cloud.put_object("inbox", "in/a", b"old")
        kept = cloud.put_object("inbox", "in/a", b"newer")
        cloud.put_object("inbox", "in/b", b"")
        cloud.delete_object("inbox", "in/b")
        assert rows(tmp_path) == 3
        dispatcher_of(local)._loop.tell()
    assert [(each.key, each.version) for each, _ in seen] == [("in/a", kept.revision)]


def test_a_handler_that_fails_is_tried_again_and_given_up_with_its_reason(tmp_path: Path) -> None:
    """As with messages: the attempts are counted, and a dead letter tells of the object."""
    app = App("shop")
    attempts: list[int | None] = []

    @app.on_object("inbox", prefix="in/", retries=2)
    def fail(arrived: ObjectEvent, context: Context) -> None:
        attempts.append(context.attempt)
        raise ConnectionError

    with opened(tmp_path, app) as (cloud, local):
        cloud.put_object("inbox", "in/a", b"")
        local.wait_idle(30)
        (letter,) = local.dead_letters()
        assert (letter.subscription, letter.error, letter.attempts) == (
            "fail",
            "ConnectionError",
            3,
        )
        assert '"key": "in/a"' in letter.document
        local.redrive(letter)
        local.wait_idle(30)
    assert attempts == [1, 2, 3] * 2


def test_what_a_process_without_handlers_puts_is_told_later(tmp_path: Path) -> None:
    """Its last write of each object, by whichever process has handlers; and none twice."""
    with opened(tmp_path) as (cloud, _):
        cloud.put_object("inbox", "in/a", b"1")
        last = cloud.put_object("inbox", "in/a", b"22")
        cloud.put_object("inbox", "out/b", b"")
        cloud.put_object("other", "in/c", b"")
        cloud.put_object("inbox", "in/d", b"")
        cloud.delete_object("inbox", "in/d")
        assert rows(tmp_path) == 3
    seen: list[Any] = []
    with opened(tmp_path, app_that_notes(seen)) as (cloud, local):
        local.wait_idle(30)
        after = cloud.put_object("inbox", "in/a", b"333")
        local.wait_idle(30)
        cloud.put_object("other", "in/e", b"")
    assert [(each.key, each.version, each.size) for each, _ in seen] == [
        ("in/a", last.revision, 2),
        ("in/a", after.revision, 3),
    ]
    assert seen[0][0].sequence < seen[1][0].sequence
    assert rows(tmp_path) == 1
    again: list[Any] = []
    with opened(tmp_path, app_that_notes(again)) as (_, local):
        local.wait_idle(30)
    assert again == []


def test_an_object_that_nobody_was_told_of_reaches_all_handlers_of_an_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if it is claimed while the app is mounted: its handlers are there together."""
    with opened(tmp_path) as (cloud, _):
        cloud.put_object("inbox", "in/a", b"1")
    seen: list[str | None] = []
    app = App("shop")
    for name in ("first", "second"):

        @app.on_object("inbox", name=name)
        def note(_: ObjectEvent, context: Context) -> None:
            seen.append(context.function)

    def claim(handler: Any, known: Any) -> None:
        local.wait_idle(30)
        check_free(handler, known)

    monkeypatch.setattr(object_events, "check_free", claim)
    with opened(tmp_path) as (_, local):
        local.mount(app)
        local.wait_idle(30)
    assert {*seen} == {"first", "second"}
