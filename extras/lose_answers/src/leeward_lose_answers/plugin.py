"""The plugin: runs a test once more for answers to lose, and fails the session for doubles."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from _pytest.runner import runtestprotocol

from leeward_lose_answers import report, stacks
from leeward_lose_answers.effects import Marks
from leeward_lose_answers.postgres import Relays
from leeward_lose_answers.report import Finding, Summary
from leeward_lose_answers.runs import MODES, Run, Target, compare, targets_of
from leeward_lose_answers.wire import Wire

SHARE: Final = 0.85
"""Of the time that is allowed, what is planned: the taps take some of the rest, and runs vary."""

HANG: Final = 5.0
"""Seconds after which one more run of a test hangs, such as on a thread that its error ended."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("lose-answers", "answers that are lost")
    group.addoption(
        "--lose-answers",
        action="store_true",
        help="run each test that sends effects once more, lose the answers, and name each effect "
        "that is sent twice",
    )
    group.addoption(
        "--lose-answers-modes",
        default="timeout,reset",
        metavar="MODES",
        help=f"how answers are lost, of {', '.join(MODES)} (default: timeout,reset)",
    )
    group.addoption(
        "--lose-answers-max",
        type=int,
        default=4,
        metavar="N",
        help="how often a test is run once more in each mode, at most (default: 4)",
    )
    group.addoption(
        "--lose-answers-times",
        type=float,
        default=3.0,
        metavar="X",
        help="stop trying more when it takes more than X times the suite's time (default: 3)",
    )
    group.addoption("--lose-answers-json", metavar="FILE", help="write what was seen")
    parser.addini("lose_answers_reads", "requests without an effect: POST */search", "linelist")
    parser.addini("lose_answers_repeatable", "requests that may be sent twice", "linelist")
    parser.addini("lose_answers_doubles", "PUT and DELETE that must not be sent twice", "linelist")


def pytest_configure(config: pytest.Config) -> None:
    """Open the taps, if the options ask for them."""
    config.addinivalue_line("markers", "keep_answers: --lose-answers does not run this test again")
    if config.getoption("lose_answers"):
        config.pluginmanager.register(LoseAnswers(config), "lose-answers")


class LoseAnswers:
    """What one session does."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._modes = str(config.getoption("lose_answers_modes")).split(",")
        if unknown := set(self._modes) - set(MODES):
            raise pytest.UsageError(
                f"--lose-answers-modes: {unknown.pop()} is not a mode; modes: {', '.join(MODES)}"
            )
        marks = Marks(*(config.getini(f"lose_answers_{name}") for name in Marks._fields))
        self._wire = Wire(marks)
        self._relays = Relays(self._wire)
        self._wire.open()
        self._summary = Summary()
        self._began = time.monotonic() - time.process_time()  # this process is at least that old
        self._spent = 0.0
        self._loses_since = self._began
        self._current: Run | None = None
        self._limit = 0.0

    def pytest_unconfigure(self) -> None:
        """Remove the taps."""
        self._relays.close()
        self._wire.close()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        """Run a test, and again for answers to lose."""
        if not isinstance(item, pytest.Function) or item.get_closest_marker("keep_answers"):
            return None
        self._relays.open()
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        plain, began = Run(), time.monotonic()
        self._begin(plain)
        *done, last = runtestprotocol(item, log=False, nextitem=_parent_of(item))
        took = time.monotonic() - began
        _log(item, done)
        if plain.sends:
            self._summary.tests += 1
            passes = all(report.passed for report in (*done, last))
            if passes and item.nodeid not in _failures_of_parts(item):
                self._loses_since = time.monotonic()
                with _apart(item):
                    self._lose(item, plain, took)
                self._limit = 0.0
                self._spent += time.monotonic() - self._loses_since
        self._current = None
        if nextitem is None or nextitem.parent is not item.parent:
            _log(item, self._tear_down(item, nextitem, last))
        else:
            _log(item, [last])
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @staticmethod
    def _tear_down(
        item: pytest.Item, nextitem: pytest.Item | None, report: pytest.TestReport
    ) -> list[pytest.TestReport]:
        """End the fixtures that only tests before `nextitem` use; return what to say of it.

        Args:
            item: the last test that uses them.
            nextitem: the next test.
            report: the report of the end of the item's own fixtures.
        """
        state = item.session._setupstate  # noqa: SLF001
        capture: Any = item.config.pluginmanager.getplugin("capturemanager")
        with capture.item_capture("teardown", item):
            call = pytest.CallInfo.from_call(
                lambda: state.teardown_exact(nextitem), when="teardown"
            )
        if call.excinfo is None:
            return [report]
        failure = pytest.TestReport.from_item_and_call(item, call)
        return [failure] if report.passed else [report, failure]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        """Watch what a test sends; fixtures may send what they like."""
        self._wire.run = self._current
        try:
            with _at_most(self._limit):
                return (yield)
        finally:
            self._wire.run = None
            stacks.forget_origins(leaves=bool(self._current and self._current.loses_answers))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Iterator[None]:
        """Tear a test down, for a limited time."""
        with _at_most(self._limit):
            return (yield)

    def _lose(self, item: pytest.Item, plain: Run, took: float) -> None:
        """Run `item` once more for each mode, and again for answers that it did not get to."""
        targets = targets_of(plain)
        for mode in self._modes:
            untried: Sequence[Target] = targets
            for _ in range(self._config.getoption("lose_answers_max")):
                if not untried:
                    break
                if not self._has_time_for(took):
                    break
                run = self._run_again(item, Run(mode, untried, plain))
                self._summary.lost += sum(send.is_lost for send in run.sends)
                self._note(item, plain, run)
                if len(run.untried) == len(untried):
                    break
                untried = run.untried
            self._summary.leave_out(item.nodeid, mode, untried)

    def _has_time_for(self, took: float) -> bool:
        times = (float(self._config.getoption("lose_answers_times")) - 1) * SHARE
        now = time.monotonic()
        spent = self._spent + now - self._loses_since
        left = times * (now - self._began - spent) - spent
        self._limit = took + min(max(left, 1.0), HANG)
        return took <= left

    def _begin(self, run: Run) -> None:
        self._current = run
        self._wire.turn += 1

    def _run_again(self, item: pytest.Item, run: Run) -> Run:
        self._begin(run)
        fields = vars(item)
        fields.update(repr_failure=_ignore, _repr_failure_py=_ignore)  # nobody reads the traceback
        try:
            runtestprotocol(item, log=False, nextitem=_parent_of(item))
        finally:
            del fields["repr_failure"], fields["_repr_failure_py"]
        self._summary.runs += 1
        return run

    def _note(self, item: pytest.Item, plain: Run, run: Run) -> None:
        """Keep what `run` repeated, unless the test itself does so by chance."""
        repeats = list(compare(plain, run))
        if any(repeat.kind == "double" for repeat in repeats):
            again = self._run_again(item, Run())
            anyway = {
                fingerprint
                for fingerprint, count in _counts(again).items()
                if count > _counts(plain)[fingerprint]
            }
            repeats = [each for each in repeats if each.first.effect.fingerprint not in anyway]
        self._summary.add(Finding.of(item.nodeid, repeat) for repeat in repeats)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send what a worker saw to the controller; or write the report, and fail for doubles."""
        self._summary.unread |= self._wire.unread
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["lose_answers"] = self._summary.to_json()
            return
        if self._summary.doubles and session.exitstatus in {0, pytest.ExitCode.OK}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if path := self._config.getoption("lose_answers_json"):
            Path(path).write_text(self._summary.to_json() + "\n", encoding="utf-8")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add what a worker of pytest-xdist saw."""
        if text := getattr(node, "workeroutput", {}).get("lose_answers"):
            self._summary.merge(text)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write what was seen in plain words."""
        terminalreporter.section("lost answers")
        for line in report.lines_of(self._summary):
            terminalreporter.write_line(line)


def _parent_of(item: pytest.Item) -> Any:
    """Return the collector of `item`: as "next item" it keeps all fixtures but the item's own."""
    return item.parent


def _log(item: pytest.Item, reports: Iterable[pytest.TestReport]) -> None:
    for entry in reports:
        item.ihook.pytest_runtest_logreport(report=entry)


def _failures_of_parts(item: pytest.Item) -> dict[str, int]:
    """Return what pytest 9 counts of subtests that failed, by test."""
    subtests: Any = sys.modules.get("_pytest.subtests")
    return item.config.stash[subtests.failed_subtests_key] if subtests else {}


def _counts(run: Run) -> Counter[bytes]:
    return Counter(send.effect.fingerprint for send in run.sends)


def _ignore(*_: object, **_options: object) -> str:
    """Return no words for what happened."""
    return ""


@contextmanager
def _apart(item: pytest.Item) -> Iterator[None]:
    """Keep warnings, reports, output and errors of threads from the suite's own results."""
    hook: Any = item.config.hook
    if hasattr(hook, "pytest_timeout_cancel_timer"):
        hook.pytest_timeout_cancel_timer(item=item)
    silent = hook.pytest_runtest_logreport, hook.pytest_exception_interact
    calls = [caller._hookexec for caller in silent]  # noqa: SLF001
    kept = item._report_sections[:], item.user_properties[:]  # noqa: SLF001
    hooks = sys.unraisablehook, threading.excepthook
    sys.unraisablehook, threading.excepthook = _ignore, _ignore
    for caller in silent:
        caller._hookexec = _ignore  # noqa: SLF001
    try:
        with warnings.catch_warnings(record=True):
            yield
            gc.collect(1)  # what runs left behind is young
    finally:
        sys.unraisablehook, threading.excepthook = hooks
        item._report_sections[:], item.user_properties[:] = kept  # noqa: SLF001
        _failures_of_parts(item).pop(item.nodeid, None)
        for caller, call in zip(silent, calls, strict=True):
            caller._hookexec = call  # noqa: SLF001


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Fail what takes longer, unless `seconds` is 0; in the main thread, and where signals are."""
    is_main = threading.current_thread() is threading.main_thread()
    if not seconds or not is_main or not hasattr(signal, "setitimer"):
        yield
        return
    handler = signal.signal(signal.SIGALRM, _end_run)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def _end_run(*_: object) -> None:
    pytest.fail("hangs after a lost answer", pytrace=False)
