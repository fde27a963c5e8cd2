"""Handlers of objects: what is refused at the start, and what is told of the same write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from leeward import App, Client, Context
from leeward.app import ObjectEvent
from leeward.app.triggers import object_document, object_event_from, object_key
from leeward.errors import ConfigError, InvalidRequest
from leeward.local import Local
from leeward.testing import Deployed, Ran

PLATFORMS = ["aws", pytest.param("azure", marks=pytest.mark.vendors), "google"]


def app_of(*handlers: tuple[str, str, str, Any]) -> App:
    """Make an app with handlers of objects: name, bucket, prefix, writes."""
    app = App("shop")
    for name, bucket, prefix, writes in handlers:
        app.on_object(bucket, prefix=prefix, writes=writes, name=name)(print)
    return app


LOOPS: list[tuple[str, list[tuple[str, str, str, Any]]]] = [
    ("into its own prefix", [("a", "inbox", "in/", "inbox/in/done/")]),
    ("above its own prefix", [("a", "inbox", "in/", "inbox/i")]),
    ("into its whole bucket", [("a", "inbox", "in/", "inbox")]),
    ("from its whole bucket", [("a", "inbox", "", "inbox/processed/")]),
    ("as one of several places", [("a", "inbox", "in/", ["other", "inbox/in/"])]),
    ("by way of another", [("a", "x", "", "y/out/"), ("b", "y", "out/", "x")]),
    ("by a long way", [("a", "x", "", "y"), ("b", "y", "", ("w", "z")), ("c", "z", "", "x/")]),
]

NO_LOOPS: list[list[tuple[str, str, str, Any]]] = [
    [("a", "inbox", "in/", "inbox/processed/")],
    [("a", "inbox", "in/", "inbox/processed/"), ("b", "inbox", "processed/", "inbox/reports/")],
    [("a", "inbox", "in/", "results"), ("b", "inbox", "in/", "results")],
    [("a", "inbox", "in/", ())],
    [("a", "inbox", "in/", "inboxes/in/")],
]


def test_a_handler_that_would_run_for_its_own_output_is_refused_at_the_start() -> None:
    """By every way to start it, with its name and what to do; whatever ends is not."""
    for how, handlers in LOOPS:
        app = app_of(*handlers)
        for start in (app.check, lambda app=app: app.handler("aws"), lambda app=app: mounted(app)):
            with pytest.raises(ConfigError) as told:
                start()
            assert "'a' takes" in str(told.value), how
            assert "without end; give input and output prefixes" in str(told.value), how
            for name in (each[0] for each in handlers[1:]):
                assert f"'{name}'" in str(told.value), how
    for handlers in NO_LOOPS:
        app_of(*handlers).check()


def mounted(app: App) -> None:
    """Run an app in this process."""
    with Client(Local(), app=app):
        pass


def test_what_is_said_of_a_handler_of_objects_is_checked() -> None:
    """With the field, when it is registered."""
    wrong: Any = None
    app = App("shop")
    for bucket, more, told in [
        ("", {}, "bucket must be a non-empty string"),
        ("inbox/in/", {}, "name it alone, and put the rest into prefix"),
        ("inbox", {"prefix": wrong}, "prefix must be a string"),
        ("inbox", {"writes": "/in/"}, "writes names a bucket"),
        ("inbox", {"writes": ["out/", wrong]}, "writes names a bucket"),
    ]:
        with pytest.raises(ConfigError, match=told):
            app.on_object(bucket, **more)(print)


def test_a_handler_puts_objects_only_where_it_has_said(subtests: pytest.Subtests) -> None:
    """Anything else is refused before any I/O, and given up at once: it could be a loop."""
    app = App("shop")
    seen: list[str] = []

    @app.on_object("inbox", prefix="in/", writes=["inbox/processed/", "results"])
    def clean(arrived: ObjectEvent, context: Context) -> None:
        for bucket, key in (("inbox", "processed/a"), ("results", "a")):
            cloud.put_object(bucket, key, b"")
        bucket, _, key = arrived.key.removeprefix("in/").partition("/")
        try:
            cloud.put_object(bucket, key, b"")
        except InvalidRequest as error:
            seen.append(str(error))
            raise

    local = Local()
    with Client(local, app=app) as cloud:
        for name in ("in/inbox/in/b", "in/elsewhere/b", "in/inbox/proc"):
            cloud.put_object("inbox", name, b"")
        local.wait_idle(30)
        letters = local.dead_letters()
        assert [each.attempts for each in letters] == [1, 1, 1]
        assert {each.error for each in letters} == {"InvalidRequest"}
        assert [each.name for each in cloud.list_objects("inbox").objects] == [
            "in/elsewhere/b", "in/inbox/in/b", "in/inbox/proc", "processed/a",
        ]  # fmt: skip
    assert sorted(each.partition("'clean' ")[2].partition(" where")[0] for each in seen) == [
        "puts an object into 'elsewhere'",
        "puts an object into 'inbox'",
        "puts an object into 'inbox'",
    ]


@pytest.fixture(params=PLATFORMS)
def deployed(request: pytest.FixtureRequest) -> Callable[[App], Deployed]:
    """Deploy an app on each cloud in turn."""
    return lambda app: Deployed(app, request.param)


def test_an_object_is_told_alike_on_each_cloud(deployed: Callable[[App], Deployed]) -> None:
    """With its decoded key, and one idempotency key: queued, or without a queue."""
    app = App("shop")
    seen: list[Any] = []

    @app.on_object("inbox", prefix="in/")
    def clean(arrived: ObjectEvent, context: Context) -> None:
        seen.append((arrived[:4], context.idempotency_key))
        if "bad" in arrived.key:
            raise ValueError

    app.on_object("inbox", name="direct", queued=False)(clean)
    cloud = deployed(app)
    for name in ("clean", "direct"):
        assert cloud.object(name, "in/a b+c%2F/é", size=3, version="7") == Ran()
        assert cloud.object(name, "in/bad").again
    assert cloud.object("clean", "elsewhere") == Ran()
    found = ("inbox", "in/a b+c%2F/é", "7", 3)
    told = (found, "inbox/in/a b+c%2F/é#7")
    bad = (("inbox", "in/bad", "1", 0), "inbox/in/bad#1")
    assert seen == [told, bad, told, bad]


def test_an_event_is_the_same_after_it_was_written_down() -> None:
    """And its key tells buckets, keys and versions apart, for none of them can be cut otherwise."""
    time = datetime(2026, 1, 31, 12, tzinfo=UTC)
    for event in (
        ObjectEvent("inbox", "in/a", "1"),
        ObjectEvent("inbox", "in/a", "1", 3, "e", "0001", time, "1"),
    ):
        assert object_event_from(object_document(event)) == event
    assert object_key(ObjectEvent("b", "a/b", "1")) == "b/a/b#1"
