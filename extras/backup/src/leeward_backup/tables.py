"""A table, as backups read and write it: page by page, and item by item; or read from an export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from leeward._items.names import escape_key
from leeward._operations.upkeep import TableHome, home_of, make, store_many
from leeward.app.idempotency.store import KEY, REGISTER
from leeward.calls import Delete, Key, Load, Page, Result, Scan, Store, Stored
from leeward.client import Client
from leeward.clock import Clock
from leeward.errors import Conflict, InvalidRequest, Outcome, OutcomeUnknown, Throttled
from leeward.values import Item
from leeward_backup.lines import LONGEST_LINE, Kept, key_text, line_of, line_with
from leeward_backup.values import BackupError

FIRST_PAGE: Final = 10
LARGEST_PAGE: Final = 1000  # items

PAGE_BYTES: Final = 1024 * 1024  # of the lines of a page, about

MOST_THROTTLED: Final = 100  # tries of one call that is throttled, before a run gives up

_PAUSE: Final = 0.5  # seconds before the next try, where the target does not say how long to wait


class Row(NamedTuple):
    """The line of an item.

    Attributes:
        key: the text of its key.
        line: of it.
        expires_at: Unix seconds, or None.
        lost: what of the item is in no line.
    """

    key: bytes
    line: bytes
    expires_at: float | None
    lost: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "Row(...)"


class Lines(NamedTuple):
    """A page of a table, as lines.

    Attributes:
        rows: in the order of the target.
        cursor: of the next page; None on the last one.
    """

    rows: tuple[Row, ...]
    cursor: str | None


class Table:
    """A table of a client."""

    def __init__(self, client: Client, name: str) -> None:
        self._operations = client._operations  # noqa: SLF001 - no client has a scan, on purpose
        table = self._operations.table(name)
        self.name = name
        self.fields = table.key
        self.is_declared = name in self._operations.config.tables
        self.clock = self._operations.clock
        self._seconds = table.seconds
        self._together = True
        self._registers: set[str] = set()

    @property
    def home(self) -> TableHome:
        """Where it is."""
        return home_of(self._operations, self.name)

    def pages(self, cursor: str | None = None, rate: float | None = None) -> Iterator[Lines]:
        """Yield the lines of all items, page by page, from a cursor on.

        Pages are as large as their items allow: some targets do not end a page by its bytes. What
        has expired counts as absent. At a rate, a page is no more than the items of a second.
        """
        largest = LARGEST_PAGE if rate is None else int(min(LARGEST_PAGE, max(1.0, rate)))
        size_ = min(FIRST_PAGE, largest)
        while True:
            page, size_ = self._page(cursor, size_)
            lines = self.lines_of(page.items, page.cursor)
            yield lines
            if (cursor := page.cursor) is None:
                return
            rows = lines.rows
            size = sum(len(row.line) for row in rows) or 1
            size_ = max(1, min(largest, size_ * 4, PAGE_BYTES * len(rows) // size or size_))

    def lines_of(self, items: Sequence[Stored], cursor: str | None) -> Lines:
        """Return the lines of some items, but for those that have expired, and for registers.

        A register that was restored would deny what was called since the backup.
        """
        now, kept = self.clock.now(), list[Stored]()
        for stored in items:
            id = str(stored.item.get(KEY))
            if {*stored.item, *self.fields} == {KEY, "entries"} and id.startswith(REGISTER):
                self._registers.add(id)
            elif stored.expires_at is None or stored.expires_at > now:
                kept.append(stored)
        return Lines(tuple(map(self._row, kept)), cursor)

    def _row(self, stored: Stored) -> Row:
        values = self.key_of(stored.item)
        key, lost = key_text(values), stored.lost
        if stored.name not in (None, escape_key(*values), escape_key(values[-1])):
            lost = (*lost, "the name of its document")
        try:
            line = line_with(key, stored.item, stored.expires_at)
        except (TypeError, ValueError) as error:
            raise BackupError(
                f"the item {' / '.join(values)} of table {self.name!r} cannot be kept: {error}; "
                "change it, or delete it"
            ) from None
        if len(line) > LONGEST_LINE:
            raise BackupError(
                f"the item {' / '.join(values)} of table {self.name!r} takes {len(line):,} bytes, "
                f"and at most {LONGEST_LINE:,} can be restored; split it"
            )
        return Row(key, line, stored.expires_at, lost)

    def begin_anew(self) -> None:
        """Delete the registers that were seen: no item that is missing proves anything now."""
        for id in self._registers:
            self._patiently(Delete(self.name, Key((KEY,), (id,)), self.clock.now()))

    def key_of(self, item: Item) -> tuple[str, ...]:
        """Return the values of an item's key.

        Raises:
            BackupError: a field of the key holds no text.
        """
        values: tuple[Any, ...] = tuple([item.get(field) for field in self.fields])
        for value in values:
            if type(value) is not str or not value:
                raise BackupError(
                    f"an item of table {self.name!r} has no text in {' or '.join(self.fields)}, "
                    "its key: another program has written it; set key in "
                    f"[tables.{self.name}], or delete the item"
                )
        return values

    def put(self, kept: Sequence[Kept], write_ids: Sequence[str], *, if_absent: bool) -> list[bool]:
        """Store items as they were; return of each whether it was stored.

        One that was not stays as another one is there, with `if_absent`.

        Raises:
            LeewardError: it went wrong; some may be stored.
        """
        now = self.clock.now()
        calls = [
            Store(
                self.name,
                Key(self.fields, line.key),
                line.item,
                write_id,
                now,
                line.expires_at,
                if_absent,
            )
            for line, write_id in zip(kept, write_ids, strict=True)
        ]
        together = self._store_together(calls)
        if together is None:
            return [self._put(call) for call in calls]
        return [
            result.outcome is Outcome.OK or self._put(call)
            for call, result in zip(calls, together, strict=True)
        ]

    def _store_together(self, calls: Sequence[Store]) -> list[Result[Any]] | None:
        """Attempt all stores at once, where that can be done, and who runs this may do it."""
        if not self._together or not calls:
            return None
        together = store_many(self._operations, calls, self._seconds)
        if together is not None and all(result.outcome is Outcome.AUTH for result in together):
            self._together = False  # a right of its own, which single stores do not need
        return together

    def _put(self, call: Store) -> bool:
        try:
            self._patiently(call)
        except Conflict:
            return False
        return True

    def line_at(self, key: tuple[str, ...]) -> bytes | None:
        """Return the line of the item at a key; None if it is not there."""
        stored = self._patiently(Load(self.name, Key(self.fields, key), exact=True))
        return None if stored is None else line_of(key, stored.item, stored.expires_at)

    def _page(self, cursor: str | None, limit: int) -> tuple[Page, int]:
        """Read a page; a smaller one, if the answer was more than a target sends or takes."""
        while True:
            try:
                return self._patiently(Scan(self.name, cursor, limit, exact=True)), limit
            except OutcomeUnknown:
                if limit == 1:
                    raise
                limit = max(1, limit // 10)

    def _patiently(self, call: Any) -> Any:
        for _ in range(MOST_THROTTLED):
            try:
                return make(self._operations, call, self._seconds)
            except Throttled as error:
                self.clock.sleep(error.retry_after or _PAUSE)
        return make(self._operations, call, self._seconds)


class RateLimit:
    """A rate that is kept over the whole of a run.

    Args:
        rate: items a second; None for as fast as it goes.
        clock: waits.
    """

    def __init__(self, rate: float | None, clock: Clock) -> None:
        if rate is not None and not 0 < rate < float("inf"):
            raise InvalidRequest("rate must be a positive number of items a second", field="rate")
        self.rate = rate
        self._clock = clock
        self._started = clock.monotonic()
        self._items = 0

    def wait(self, items: int) -> None:
        """Wait until so many more items are due."""
        if self.rate is None:
            return
        self._items += items
        due = self._started + self._items / self.rate
        ahead = due - self._clock.monotonic()
        if ahead > 0:
            self._clock.sleep(ahead)
