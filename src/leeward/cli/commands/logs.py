"""``leeward logs``: what functions have logged in a cloud, in one form for every cloud."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Final, cast

import typer

from leeward._operations.errors import CLASSES
from leeward.adapter import Driver
from leeward.calls import Result
from leeward.calls.looks import LogLine, LogPage, ReadLogs
from leeward.cli.arguments import argument, flag, option
from leeward.cli.global_options import GlobalOptions, open_all, options_of, without_handlers
from leeward.config import Config
from leeward.errors import InvalidRequest, LeewardError, Outcome, OutcomeUnknown, Unsupported
from leeward.json_text import Undecodable, decode
from leeward.records import NamedTuple
from leeward.views import Block, Json, Report
from leeward.workflow.retry import seconds_of

SECONDS: Final = 30.0  # for a page. It may have to fetch a credential first.

PAUSE: Final = 2.0
"""Seconds between two looks of --follow: each is a request for each function, and quotas count."""

OVERLAP: Final = 30.0
"""Seconds that a look of --follow begins before the last line: lines arrive out of order."""

REMEMBERED: Final = 50_000  # ids of lines that --follow knows, so that it shows none twice

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_ALIASES: Final = {
    "WARN": "WARNING",
    "NOTICE": "INFO",
    "TRACE": "DEBUG",
    "FATAL": "CRITICAL",
    "ALERT": "CRITICAL",
    "EMERGENCY": "CRITICAL",
}
"""Other words for these, as runtimes and clouds have them."""

_FAILURE: Final = re.compile(
    r"^Traceback \(most recent call last\)|\[ERROR\]|Task timed out after|Runtime exited",
    re.MULTILINE,
)
"""Text without a level that reports a failure: Python's, and a platform's."""

_IN_TEXT: Final = re.compile(r" (?:at|causes)='([^']*)'")
"""The same places in a line of leeward's own that is not JSON."""

_WORD: Final = re.compile(r"\b(DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL)\b")

_FRAMES: Final = ("leeward.at", "exception.stacktrace", "leeward.causes")
"""Fields of a JSON line with places in the code: file, line and function."""

_SHOWN: Final = ("leeward.error", "leeward.reason", "leeward.ran", "exception.type")
"""Fields of a JSON line that a person is shown beside its message; ``--json`` has all of them."""


class LogEntry(NamedTuple):
    """A line in the form that is the same for every cloud.

    Attributes:
        time: Unix seconds.
        level: one of `LEVELS`.
        frames: places in the code, ``file:line function`` each.
        fields: what else a JSON line says.
    """

    target: str
    function: str
    id: str
    time: float
    level: str
    message: str
    frames: tuple[str, ...]
    fields: Mapping[str, Any]


def logs(
    context: typer.Context,
    function: Annotated[
        str | None,
        argument("Its name; by default those of [functions] in leeward.toml.", "[FUNCTION]"),
    ] = None,
    *,
    since: Annotated[str, option("How far back: 30s, 10m, 4h or 1d.", "TIME")] = "10m",
    follow: Annotated[bool, flag("--follow", "Go on until Ctrl-C.")] = False,
    errors: Annotated[bool, flag("--errors", "Only errors, with the places in the code.")] = False,
    limit: Annotated[
        int, typer.Option(min=1, max=100_000, help="Lines of each function, at most.")
    ] = 1000,
) -> Report | None:
    """Show what functions have logged in their clouds, the oldest line first.

    The logs of an app that runs here, or in a worker, are on the standard error of its process.
    With --follow and --json each line is an object of its own.
    """
    options = options_of(context)
    config = options.resolve()
    names = [function] if function is not None else sorted(config.functions)
    if not names:
        raise InvalidRequest(
            "name a function: leeward logs FUNCTION, or list it in leeward.toml: "
            "[functions.<name>]",
            field="function",
        )
    start = time.time() - float(seconds_of(since, "--since"))
    with open_all(without_handlers(config), options.environment()) as drivers:
        readers = [
            LogReader(driver, name) for driver in _with_logs(drivers, config) for name in names
        ]
        if follow:
            with suppress(KeyboardInterrupt):
                _follow(options, readers, start, limit, errors=errors)
            return None
        entries, failed = _read_all(readers, start, time.time(), limit, errors=errors)
    if len(failed) == len(readers):
        raise _first_error(readers)
    data = {"lines": [*map(_json, entries)], "failed": failed}
    notes = [f"{each['target']}: {each['why']}" for each in failed]
    if not entries and not failed:
        notes = ["Nothing was logged in this time. --since 4h looks farther back."]
    return Report(data, 0.0, [show_line(line) for line in data["lines"]], notes)


def _with_logs(drivers: Sequence[Driver], config: Config) -> list[Driver]:
    """Return the targets whose functions run in a cloud."""
    clouds = [driver for driver in drivers if driver.stores() is None]
    if not clouds:
        order = ", ".join(map(str, config.order))
        raise Unsupported(
            f"{order}: the app runs in processes of your own, so its logs are on their standard "
            "error: that of `leeward dev`, of `leeward worker`, or of the program with the client"
        )
    return clouds


class LogReader:
    """The logs of one function at one target; `error` is why the last look has failed."""

    def __init__(self, driver: Driver, function: str) -> None:
        self.target = driver.target
        self.function = function
        self.error: LeewardError | None = None
        self._driver = driver
        self._seen: dict[str, None] = {}

    def read(self, since: float, until: float, limit: int, *, errors: bool) -> list[LogEntry]:
        """Return the new lines between two times, `limit` at most; none where that fails."""
        entries: list[LogEntry] = []
        try:
            for line in self._lines(since, until, limit, errors=errors):
                if line.id in self._seen:
                    continue
                self._seen[line.id] = None
                entry = entry_of(self.target, self.function, line)
                if not errors or entry.level in LEVELS[3:]:
                    entries.append(entry)
                if len(entries) == limit:
                    break
            self.error = None
        except LeewardError as error:
            self.error = error
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return entries

    def _lines(self, since: float, until: float, limit: int, *, errors: bool) -> Iterator[LogLine]:
        call = ReadLogs(self.function, since, until, errors, min(limit, 1000))
        while True:
            result: Result[Any] = self._driver.perform(call, SECONDS)
            if result.outcome is not Outcome.OK:
                kind = CLASSES.get(result.outcome, OutcomeUnknown)
                told = f"the logs of {self.function!r} cannot be read"
                if result.outcome is Outcome.NOT_FOUND:
                    told = (
                        f"no logs of a function {self.function!r}: it has not run, or is not there"
                    )
                code = f" ({result.code})" if result.code else ""
                raise kind(told + code, target=self.target) from result.cause
            page = cast("LogPage", result.value)
            yield from page.lines
            if page.cursor is None:
                return
            call = call._replace(cursor=page.cursor)


def _read_all(
    readers: Sequence[LogReader], since: float, until: float, limit: int, *, errors: bool
) -> tuple[list[LogEntry], list[Json]]:
    """Return the lines of all functions by time, all read at once, and what could not be read."""
    with ThreadPoolExecutor(min(8, max(1, len(readers)))) as threads:
        visits = [
            threads.submit(reader.read, since, until, limit, errors=errors) for reader in readers
        ]
        entries = [entry for visit in visits for entry in visit.result()]
    failed = [
        {"target": reader.target, "function": reader.function, "why": str(reader.error)}
        for reader in readers
        if reader.error is not None
    ]
    return sorted(entries, key=lambda entry: entry.time), failed


def _follow(
    options: GlobalOptions, readers: Sequence[LogReader], since: float, limit: int, *, errors: bool
) -> None:
    """Show new lines until somebody interrupts; say once what cannot be read."""
    said: set[str] = set()
    while True:
        entries, failed = _read_all(readers, since, time.time(), limit, errors=errors)
        for entry in entries:
            line = _json(entry)
            options.output.report(Report(line, parts=[show_line(line)]))
        for failure in failed:
            if failure["why"] not in said:
                said.add(failure["why"])
                typer.echo(f"{failure['target']}: {failure['why']}", err=True)
        if len(failed) == len(readers):
            raise _first_error(readers)
        if entries:
            since = max(since, entries[-1].time - OVERLAP)
        time.sleep(PAUSE)


def _first_error(readers: Iterable[LogReader]) -> LeewardError:
    """Return the error of the command where no function could be read: the first one's."""
    return next(reader.error for reader in readers if reader.error is not None)


def entry_of(target: str, function: str, line: LogLine) -> LogEntry:
    """Return a line in the form that is the same for every cloud."""
    fields: dict[str, Any] = {}
    message, level = line.text, line.level
    with suppress(Undecodable, ValueError):
        document = decode(line.text.strip().encode()) if line.text.lstrip()[:1] == "{" else None
        if isinstance(document, dict):
            fields = document
            message = str(fields.pop("message", None) or fields.pop("msg", None) or "")
            level = str(fields.pop("severity", "") or fields.get("level", "") or level)
            fields.pop("level", None)
    places = [fields.pop(name, None) for name in _FRAMES] + _IN_TEXT.findall(message)
    frames = tuple(place for found_place in places for place in _places(found_place))
    return LogEntry(
        *(target, function, line.id, line.time, level_of(level, message)),
        *(message.rstrip(), frames, fields),
    )


def level_of(word: str, text: str) -> str:
    """Return one of `LEVELS`, from the target's own word, or else from the text."""
    level = word.upper()
    if not level:
        if _FAILURE.search(text):
            return "ERROR"
        words = _WORD.search(text[:200])
        level = words[0] if words else "INFO"
    level = _ALIASES.get(level, level)
    return level if level in LEVELS else "INFO"


def _places(value: object) -> list[str]:
    """Return places in the code, the outermost first, as leeward's logs have them."""
    if isinstance(value, list):
        return [str(place) for place in value]
    if isinstance(value, str):
        return [place.strip() for place in re.split(r", (?=/|\w+\S*:\d)|; ", value)]
    return []


def _json(entry: LogEntry) -> Json:
    time = datetime.fromtimestamp(entry.time, UTC).isoformat(timespec="milliseconds")
    return {
        **entry._asdict(),
        "time": time.replace("+00:00", "Z"),
        "frames": list(entry.frames),
        "fields": dict(entry.fields),
    }


def show_line(line: Json) -> Block:
    """Return a line of a log, with the rest of its message and the places below it."""
    facts = [
        f"{name.rpartition('.')[2]}={line['fields'][name]}"
        for name in _SHOWN
        if name in line["fields"]
    ]
    first, _, rest = line["message"].partition("\n")
    head = f"{line['time']} {line['target']} {line['function']} {line['level']:8} {first}"
    below = [*rest.splitlines(), *(f"at {place}" for place in line["frames"])]
    text = "\n    ".join([" ".join([head, *facts]), *below])
    return Block("Line", text)
