"""What fills the feed: runs of handlers, calls of the target, and log records."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Any, Final

from leeward.adapter import Driver, WrappingDriver
from leeward.app.answers import Answer, InvalidInput
from leeward.app.app import App
from leeward.app.context import current
from leeward.app.handlers import Handler
from leeward.app.idempotency import RepeatRefused
from leeward.app.telemetry import Run
from leeward.app.triggers import Delivery, Platform
from leeward.calls import Call, Publish, Result, subject_of
from leeward.errors import Outcome
from leeward.logs import Fact, failure_facts, places_of
from leeward_dev.feed import Feed

CALLS: Final = frozenset(
    "invoke enqueue publish store delete put_object delete_object start_run abort_run".split()
)
"""The verbs of calls that are shown: those with an effect. A console reads all the time."""

RUNS: Final = frozenset({"handler_failed", "worker_started", "worker_drained"})
"""Events of leeward's log that say again what is in the feed already."""


def observe_runs(app: App, feed: Feed, *, texts: bool = True) -> None:
    """Add an entry to the feed for each run of a handler of `app`, from now on.

    Without `texts` no entry has the text of an exception.
    """
    for handler in app.handlers.values():
        handler.telemetry = RunObserver(feed, handler.telemetry, texts=texts)


class RunObserver:
    """Observes the runs of a handler, as the telemetry of an app does.

    Args:
        feed: gets an entry for each.
        inner: the telemetry of the app, or None.
        texts: entries have the texts of exceptions.
    """

    def __init__(self, feed: Feed, inner: Any, *, texts: bool) -> None:
        self._feed = feed
        self._texts = texts
        self._inner = inner

    def observe(self, run: Run, handler: Handler, delivery: Delivery, platform: Platform) -> Answer:
        """Run a handler, and note how it went."""
        began = perf_counter()
        if self._inner is None:
            answer = run(handler, delivery, platform)
        else:
            answer = self._inner.observe(run, handler, delivery, platform)
        seconds = perf_counter() - began
        facts: dict[str, Fact] = {"call_id": delivery.call_id}
        if delivery.attempt is not None:
            facts["attempt"] = delivery.attempt
        failure, what = answer.failure, handler.kind.value
        if failure is None:
            self._feed.add("run", handler.name, what, outcome="ok", seconds=seconds, facts=facts)
            return answer
        facts |= {"ran": failure.ran, "reason": failure.reason}
        frames: list[str] = []
        text: Fact = None
        cause = failure.cause
        if isinstance(cause, InvalidInput | RepeatRefused):
            text = str(cause)  # what belongs where, or which record to settle, and no value
        elif cause is not None:
            frames = places_of(cause)
            facts_ = failure_facts(cause)
            text = str(cause) if self._texts else facts_.get("text")
            facts["causes"] = facts_.get("causes")
        self._feed.add(
            "run",
            handler.name,
            what,
            outcome=failure.type,
            is_good=False,
            seconds=seconds,
            text=str(text or ""),
            frames=tuple(frames),
            facts={name: value for name, value in facts.items() if value is not None},
        )
        return answer


class ObservedDriver(WrappingDriver):
    """A target whose calls with an effect are in the feed.

    Args:
        driver: of the target.
        feed: gets an entry for each attempt.
    """

    def __init__(self, driver: Driver, feed: Feed) -> None:
        super().__init__(driver)
        self._feed = feed

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt, and note how it went."""
        began = perf_counter()
        result = super().perform(call, timeout)
        if call.verb in CALLS:
            self._note(call, result, perf_counter() - began)
        return result

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Await one attempt, and note how it went."""
        began = perf_counter()
        result = await super().perform_async(call, timeout)
        if call.verb in CALLS:
            self._note(call, result, perf_counter() - began)
        return result

    def _note(self, call: Call, result: Result[Any], seconds: float) -> None:
        facts: dict[str, Fact] = {"target": self.target}
        if isinstance(call, Publish):
            facts["events"] = len(call.events)
            facts["types"] = ", ".join(dict.fromkeys(event.type for event in call.events))
        if call.verb in ("put_object", "delete_object"):
            facts["object"] = getattr(call, "name", None)
        if result.fault is not None:
            facts["failure"] = result.fault.type
        self._feed.add(
            "call",
            subject_of(call),
            call.verb,
            outcome=result.outcome.name.lower(),
            is_good=result.outcome is Outcome.OK,
            seconds=seconds,
            facts=facts,
        )


class FeedHandler(logging.Handler):
    """Puts log records of a process into the feed, but those that say what is there already."""

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self._feed = feed

    def emit(self, record: logging.LogRecord) -> None:
        """Add a record of the log to the feed."""
        if record.name.startswith("leeward") and str(record.msg).partition(" ")[0] in RUNS:
            return
        try:
            text = record.getMessage()
        except (TypeError, ValueError, KeyError):  # its arguments do not fit the text
            text = str(record.msg)
        frames: list[str] = []
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            text = f"{text}: {type(error).__name__}"
            frames = places_of(error)
        context = current()
        facts: dict[str, Fact] = {} if context is None else {"handler": context.function}
        self._feed.add(
            "log",
            record.name,
            record.levelname,
            is_good=record.levelno < logging.WARNING,
            text=text,
            frames=tuple(frames),
            facts=facts,
        )


def send_logs_to(feed: Feed) -> None:
    """Send what is logged in this process to the feed alone: INFO and above."""
    logging.getLogger("leeward").handlers.clear()  # the root logger has them all
    root = logging.getLogger()
    root.handlers[:] = [FeedHandler(feed)]
    root.setLevel(logging.INFO)
