"""What passes: kept, numbered, bounded, and written for people and for programs."""

from __future__ import annotations

import io
import json
import logging
from queue import SimpleQueue
from threading import Thread

import pytest

from leeward import App, FunctionError, OutcomeUnknown
from leeward.app import idempotent
from leeward.client import Client
from leeward.local import Local
from leeward_dev.feed import LONGEST_TEXT, MOST_RUNS, Feed
from leeward_dev.observing import FeedHandler, ObservedDriver, observe_runs
from leeward_dev.terminal import Terminal


def test_a_page_asks_for_what_it_has_not_seen() -> None:
    """By number, and the newest if there are too many; of a handler the last runs stay."""
    feed = Feed(limit=100)
    for number in range(300):
        feed.add("call", f"bus-{number}", "publish")
    feed.add("run", "f", "function")
    assert len(feed.since()) == 100
    assert [each.name for each in feed.since(limit=2)] == ["bus-299", "f"]
    assert [each.name for each in feed.since(feed.last - 2, kinds=["call"])] == ["bus-299"]
    for _ in range(MOST_RUNS + 5):
        feed.add("run", "f", "function")
    assert len(feed.runs("f")) == MOST_RUNS
    assert feed.runs("g") == []
    assert Feed().last > feed.last


def test_what_has_passed_outlives_a_reload() -> None:
    """With frames and facts, and a handler's runs that much else has pushed out; or not at all."""
    feed, file = Feed(limit=10), io.BytesIO(b"what was there")
    facts = {"attempt": 2, "ran": None}
    feed.add("run", "f", "function", is_good=False, frames=("a.py:1 f",), facts=facts)
    for number in range(20):
        feed.add("call", f"bus-{number}", "publish")
    feed.save(file)
    again = Feed(limit=10)
    again._last = 0  # the clock was set back meanwhile
    again.restore(file)
    assert (again.since(), again.runs("f")) == (feed.since(), feed.runs("f"))
    assert again.add("call", "bus", "publish").number > feed.last
    for cut in (b"", file.getvalue()[:-9], b"7"):
        empty = Feed()
        empty.restore(io.BytesIO(cut))
        assert empty.since() == []


def test_a_long_text_is_heard_and_not_kept() -> None:
    """An app that logs much for hours fills no memory."""
    feed = Feed()
    heard: list[int] = []
    feed.listen(lambda entry: heard.append(len(entry.text)))
    feed.add("log", "a", "INFO", text="x" * (LONGEST_TEXT + 1))
    feed.add("run", "f", "function", text="x" * (LONGEST_TEXT + 1))
    assert heard == [LONGEST_TEXT + 1] * 2
    assert [len(each.text) for each in [*feed.since(), *feed.runs("f")]] == [LONGEST_TEXT] * 3


def test_who_waits_is_woken() -> None:
    """By an entry, or by the end; who listens hears each entry until it has had enough."""
    feed = Feed()
    heard: list[str] = []
    woken: SimpleQueue[bool] = SimpleQueue()
    end = feed.listen(lambda entry: heard.append(entry.name))

    def wait() -> None:
        woken.put(feed.wait(number, 60))

    number = feed.last
    Thread(target=wait).start()
    feed.add("log", "a", "INFO")
    assert woken.get(timeout=60)
    number = feed.last
    Thread(target=wait).start()
    feed.close()
    assert not woken.get(timeout=60)
    assert feed.is_closed
    end()
    end()
    feed.add("log", "b", "INFO")
    assert heard == ["a"]


def test_runs_and_calls_are_noted_without_values() -> None:
    """Of a failure there are class, text and places; of a call name, verb and outcome."""
    feed, app = Feed(), App("shop")

    @app.function()
    def fail(word: str) -> None:
        raise ValueError(word) from KeyError(word)

    @app.function(effect="read_only")
    def publish(word: str) -> str:
        app.client().publish_event("orders", "order.created", {"word": word})
        return word

    observe_runs(app, feed)
    with Client(ObservedDriver(Local(), feed), app=app) as client:
        client.invoke("publish", "hunter2")
        with pytest.raises(Exception, match="ValueError"):
            client.invoke("fail", "hunter2")
        with pytest.raises(Exception, match="InvalidInput"):
            client.invoke("fail", 7)
        client.load_data("tickets", "7")
    runs = feed.since(kinds=["run"])
    assert [(each.name, each.outcome, each.is_good) for each in runs] == [
        ("publish", "ok", True),
        ("fail", "ValueError", False),
        ("fail", "InvalidInput", False),
    ]
    assert runs[1].frames[-1].endswith("fail")
    assert "KeyError" in str(runs[1].facts["causes"])
    assert runs[2].text == "$ must be str"
    calls = feed.since(kinds=["call"])
    assert [(each.name, each.what, each.outcome) for each in calls] == [
        ("orders", "publish", "ok"),
        ("publish", "invoke", "ok"),
        ("fail", "invoke", "app_error"),
        ("fail", "invoke", "app_error"),
    ]
    assert calls[0].facts["types"] == "order.created"
    assert [each.name for each in feed.since() if "hunter2" in str(each)] == ["fail"]
    assert runs[1].text == "hunter2"


def test_without_texts_no_entry_has_the_text_of_an_exception() -> None:
    """For who shows the terminal to others."""
    feed, app = Feed(), App("shop")

    @app.function()
    def fail(word: str) -> None:
        raise ValueError(word)

    observe_runs(app, feed, texts=False)
    with Client(Local(), app=app) as client, pytest.raises(FunctionError):
        client.invoke("fail", "hunter2")
    assert "hunter2" not in str(feed.since())


def test_a_refused_repeat_says_what_to_do() -> None:
    """No place in the user's code has anything to do with it, and leeward's own help nobody."""
    feed, app = Feed(), App("shop")

    @app.function(effect="keyed")
    @idempotent(table="keys", principal=None, lease=70)
    def charge(word: str) -> None:
        raise OSError(word)

    observe_runs(app, feed)
    with Client(Local(), app=app) as client:
        for _ in range(2):
            with pytest.raises((FunctionError, OutcomeUnknown)):
                client.invoke("charge", "hunter2", idempotency_key="k", on_unknown="raise")
    first, refusal = feed.runs("charge")
    assert first.frames[-1].endswith("charge")
    assert (refusal.outcome, refusal.frames) == ("RepeatRefused", ())
    assert "leeward keys show keys" in refusal.text
    assert [each.outcome for each in feed.since() if "hunter2" in str(each)] == ["OSError"]


def test_log_records_are_lines_that_a_terminal_only_shows() -> None:
    """Control characters are escaped; what is in the feed already is not there twice."""
    feed, out, programs = Feed(), io.StringIO(), io.StringIO()
    feed.listen(Terminal(out).show)
    feed.listen(Terminal(programs, as_json=True).show)
    own = FeedHandler(feed)

    def log(level: int, text: str, *args: object, error: Exception | None = None) -> None:
        trace = None if error is None else (type(error), error, error.__traceback__)
        own.emit(logging.LogRecord("leeward.app.note", level, "", 1, text, args, trace))

    log(logging.INFO, "a\x1b[2Jb\nc %s", "d")
    log(logging.INFO, "too few: %s %s", "one")
    log(logging.WARNING, "handler_failed function='note'")
    log(logging.ERROR, "it failed", error=OSError("never shown"))
    feed.add(
        "run",
        "note",
        "event",
        outcome="ValueError",
        is_good=False,
        seconds=0.1,
        text="x",
        frames=("/elsewhere/note.py:3 note",),
        facts={"ran": "maybe"},
    )
    lines = [line[10:] for line in out.getvalue().splitlines()]
    assert lines[0] == r"note  INFO  a\x1b[2Jb\nc d"
    assert lines[1] == "note  INFO  too few: %s %s"
    assert lines[2] == "note  ERROR  it failed: OSError"
    assert lines[-2:] == [
        "note  event  ValueError: x  ran: maybe  100 ms",
        "/elsewhere/note.py:3 note",
    ]
    assert "handler_failed" not in out.getvalue()
    assert "never shown" not in out.getvalue()
    entries = [json.loads(line) for line in programs.getvalue().splitlines()]
    assert [each["number"] for each in entries] == [each.number for each in feed.since()]


class LostOutput(io.StringIO):
    """An output that takes nothing any more, as a closed pipe or a full disk does."""

    def write(self, text: str) -> int:
        """Raise what the system says."""
        raise BrokenPipeError(32, "Broken pipe")


def _publisher() -> App:
    app = App("shop")

    @app.function()
    def pack(word: str) -> str:
        app.client().publish_event("orders", "order.\u2713", {})
        return word

    return app


@pytest.mark.parametrize("as_json", [True, False])
def test_what_has_run_has_run_where_no_line_can_be_written(as_json: bool) -> None:
    """The terminal is gone, or its program has ended: calls and logs do not notice."""
    closed = io.StringIO()
    narrow = io.TextIOWrapper(io.BytesIO(), "ascii")
    for out in (closed, LostOutput(), narrow):
        feed, app = Feed(), _publisher()
        feed.listen(Terminal(out, as_json=as_json).show)
        closed.close()
        observe_runs(app, feed)
        with Client(ObservedDriver(Local(), feed), app=app) as client:
            assert client.invoke("pack", "x").value == "x"
        assert len(feed.since(kinds=["run", "call"])) == 3
    if not as_json:
        narrow.flush()
        assert r"order.\u2713" in narrow.detach().getvalue().decode()
