"""A switch for every process: the targets that an operator has isolated, in a table.

Every target of the order keeps a copy, so that the switch works whichever cloud fails. The latest
word about a target counts, whichever copy has it. Processes read every few seconds; no call waits
for that. A process that can read no copy keeps what it knows, and an isolation with an end still
ends there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from math import inf, isfinite, nextafter
from typing import Any, Final

from leeward._routing.background import Shared
from leeward.adapter import Capability, Driver
from leeward.calls import Key, Load, Result, Store, Stored
from leeward.entropy import new_id
from leeward.errors import Outcome
from leeward.values import Isolation

SECONDS: Final = 5.0  # seconds for reading or writing a copy
PAUSE: Final = 10.0  # seconds between two looks
TRIES: Final = 5  # tries to write a copy while others write it, too
ITEM: Final = "leeward-isolations"  # the key of the item
Words = dict[str, Isolation]  # the latest word about each target


class Fleet:
    """The switch as a process knows it, and its reads of the copies."""

    def __init__(self, shared: Shared, table: str, key: str) -> None:
        self._shared = shared
        self._table, self._key = table, key
        self._words: Words = {}
        self.renew()

    def renew(self) -> None:
        """Start to look, on a thread; in a child process too."""
        self._stop = threading.Event()
        with suppress(RuntimeError):  # no thread can be started: this process does without
            threading.Thread(target=self._run, name="leeward-fleet", daemon=True).start()

    def stop(self) -> None:
        """Stop the thread."""
        self._stop.set()

    def look(self) -> None:
        """Read the copies once, and follow them."""
        shared = self._shared
        self._words |= newest(
            [self._words, *read_copies(shared.drivers, self._table, self._key).values()]
        )
        with shared.lock:
            words = in_force(self._words, shared.clock.now())
            shared.core.health.circuits.follow(words, shared.clock.monotonic())
        if shared.outbox:
            shared.deliver()

    def _run(self) -> None:
        stop = self._stop
        while True:
            with suppress(Exception):  # an adapter's own mistake changes nothing
                self.look()
            if stop.wait(PAUSE):
                return


def read_copies(drivers: Mapping[str, Driver], table: str, key: str) -> dict[str, Words]:
    """Return each copy that can be read, by its target.

    All are read at once: several targets without an answer take no longer than one.
    """
    copies: dict[str, Words] = {}

    def read(target: str, driver: Driver) -> None:
        with suppress(Exception):
            copies[target] = _words_in(_load(driver, Key((key,), (ITEM,)), table))

    readers: list[threading.Thread] = []
    for target, driver in drivers.items():
        if Capability.TABLES not in driver.capabilities:
            continue
        reader = threading.Thread(
            target=read, args=(target, driver), name="leeward-fleet", daemon=True
        )
        try:
            reader.start()
        except RuntimeError:  # no thread can be started
            read(target, driver)
        else:
            readers.append(reader)
    for reader in readers:
        reader.join()
    return copies


def write_copies(
    drivers: Mapping[str, Driver], table: str, key: str, word: Isolation
) -> dict[str, Exception | None]:
    """Write a word about a target into every copy; return what went wrong, by the copy's target."""
    copy = newest(read_copies(drivers, table, key).values()).get(word.target)
    if copy is not None and copy.since >= word.since:  # by a clock that is fast
        word = word._replace(since=nextafter(copy.since, inf))
    flaws: dict[str, Exception | None] = {}
    for target, driver in drivers.items():
        if Capability.TABLES in driver.capabilities:
            try:
                _write_copy(driver, table, Key((key,), (ITEM,)), word)
            except Exception as error:  # noqa: BLE001 - the other copies are still written
                flaws[target] = error
            else:
                flaws[target] = None
    return flaws


def newest(copies: Iterable[Words]) -> Words:
    """Return the latest word about each target."""
    words: Words = {}
    for copy in copies:
        for target, word in copy.items():
            if target not in words or words[target].since < word.since:
                words[target] = word
    return words


def in_force(words: Words, wall: float) -> Words:
    """Return the isolations that hold at `wall`, in Unix seconds."""
    return {target: word for target, word in words.items() if not word.over and wall < word.until}


def _load(driver: Driver, key: Key, table: str) -> Stored | None:
    result: Result[Stored | None] = driver.perform(Load(table, key), SECONDS)
    if result.outcome is not Outcome.OK:
        raise result.cause or OSError(result.message or result.outcome.value)
    return result.value


def _write_copy(driver: Driver, table: str, key: Key, word: Isolation) -> None:
    for _ in range(TRIES):
        stored = _load(driver, key, table)
        words = newest([_words_in(stored), {word.target: word}])
        now = word.since
        item = {key.fields[0]: ITEM, "targets": {name: _fields(words[name]) for name in words}}
        result: Result[Any] = driver.perform(
            Store(
                table,
                key,
                item,
                new_id(now),
                now,
                if_absent=stored is None,
                if_revision=None if stored is None else stored.revision,
            ),
            SECONDS,
        )
        if result.outcome is Outcome.OK:
            return
        if result.outcome is not Outcome.CONFLICT:
            raise result.cause or OSError(result.message or result.outcome.value)
    raise OSError("others write it at the same time")


_FIELDS: Final = {"by", "why", "since", "until", "over"}


def _fields(word: Isolation) -> dict[str, Any]:
    until = None if word.until == inf else word.until
    return {"by": word.by, "why": word.why, "since": word.since, "until": until, "over": word.over}


def _words_in(stored: Stored | None) -> Words:
    """Read a copy; ignore invalid entries of other programs."""
    targets = {} if stored is None else stored.item.get("targets")
    words: Words = {}
    for target, fields in targets.items() if isinstance(targets, dict) else ():
        if not isinstance(fields, dict) or not fields.keys() >= _FIELDS:
            continue
        since, until = fields["since"], fields["until"]
        if isinstance(since, int | float) and isinstance(until, int | float | None):
            with suppress(OverflowError):
                start, end = float(since), inf if until is None else float(until)
                by, why, over = str(fields["by"]), str(fields["why"]), fields["over"] is True
                if isfinite(start):
                    words[target] = Isolation(target, by, why, start, end, over)
    return words
