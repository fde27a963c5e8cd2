"""A SQLite database: its layout, one connection, and its transactions.

What a `write` block has done is on the disk when the block ends. An error inside it proves that
nothing was written; an error at its end proves it only where a page found no room.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from leeward._sqlite.errors import BUSY, GONE, fault_at_end, fault_of, primary_code
from leeward._sqlite.file_safety import DIRECTORY_MODE, check_files, create_file
from leeward.clock import Clock, SystemClock
from leeward.errors import ConfigError, Outcome
from leeward.forking import HOLD_SECONDS, Forkable, watch
from leeward.leases.faults import DatabaseFault, fault_of_wait
from leeward.leases.holders import SteadyClock, boot_of_machine
from leeward.records import NamedTuple
from leeward.stores import PATIENCE

if sys.platform != "win32":
    import fcntl

LOOKS: Final = 3  # how often a lock is tried: another process may look at the same moment
PAUSE: Final = 0.01  # seconds between two of them

_SETTINGS = (
    # Never WAL: a rare loss of committed pages (the "WAL-reset bug") is fixed in SQLite 3.51.3
    # and not before, and Python runs with whatever SQLite the machine has.
    "PRAGMA journal_mode = TRUNCATE",
    "PRAGMA synchronous = FULL",
    # On macOS a plain fsync leaves data in the drive's cache; elsewhere this does nothing.
    "PRAGMA fullfsync = 1",
    # Zeros in the place of what is deleted, but not in pages that become free: to empty a large
    # object would write as much as to fill it. Builds of SQLite differ in what they do unasked.
    "PRAGMA secure_delete = FAST",
)


class Schema(NamedTuple):
    """What a database has to hold.

    Attributes:
        application: 32 bits that mark the file as leeward's
            (https://sqlite.org/pragma.html#pragma_application_id).
        version: of the layout: programs that know another one refuse the file. What an older
            program can do without, such as another table or index, changes no version: whoever
            needs it adds it to the file, if it is not there.
    """

    application: int
    version: int
    statements: tuple[str, ...]


def prepare(connection: sqlite3.Connection, schema: Schema, where: str) -> None:
    """Set the connection up, and make the tables where there are none.

    Raises:
        ConfigError: the file `where` holds another program's data, or has another layout.
        sqlite3.Error: it cannot be read or written; nothing was changed then.
    """
    for setting in _SETTINGS:
        connection.execute(setting).fetchall()
    if marks_of(connection) == (schema.application, schema.version):
        return
    # Only under the lock do several reads speak of one moment: another process may be here too.
    connection.execute("BEGIN EXCLUSIVE")
    application, version = marks_of(connection)
    if application != schema.application:
        if connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise ConfigError(
                f"the database {where} holds another program's tables; set `path` to a file that "
                f"is leeward's own"
            )
        for statement in schema.statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {schema.application}")
        connection.execute(f"PRAGMA user_version = {schema.version}")
    elif version != schema.version:
        raise ConfigError(
            f"the database {where} has layout {version} and this leeward knows {schema.version}; "
            f"use the leeward that wrote it, or move the file away, or set `path` to a new file"
        )
    connection.execute("COMMIT")


def marks_of(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the application and the version that a database is marked with; zeros for none."""
    both = "SELECT application_id, user_version FROM pragma_application_id, pragma_user_version"
    application, version = connection.execute(both).fetchone()
    return application, version


MEMORY = ":memory:"

_SHARED_MEMORY = (3, 36, 0)
"""The first SQLite whose memory databases can be opened twice, as ``vfs=memdb``."""

_creating = threading.Lock()
"""Creating a file closes a descriptor of it, which would drop locks that another thread's
connection to the same file took in between."""

_abandoned: list[sqlite3.Connection] = []
"""Connections of a parent process. Closing them in the child is not allowed, see
https://sqlite.org/howtocorrupt.html section 2.6; so they are never collected."""


class _Turn:
    """A lock that `with` acquires within so many seconds, or raises `StopIteration`.

    No Python code runs there, in which an interrupt would leave the lock held.
    """

    def __init__(self, lock: threading.Lock, seconds: float) -> None:
        self.enter = partial(next, iter(partial(lock.acquire, timeout=seconds), False))
        self.exit = lock.__exit__

    __enter__ = property(attrgetter("enter"))
    __exit__ = property(attrgetter("exit"))


class Database(Forkable):
    """A database that opens on first use, for many threads and, with a file, many processes.

    SQLite keeps its view of a file's locks in the process. A child that inherited it in the middle
    of a transaction would believe in locks that it does not have. So no fork happens inside one.
    """

    def __init__(
        self, path: Path | None, schema: Schema, *, created: Callable[[], None] = lambda: None
    ) -> None:
        """Check `path`, or take memory for None; `created` is called once a file has been made."""
        if path is not None:
            check_files(path)
        self.path = path
        self._schema = schema
        self._created = created
        self._memory_uri = f"file:/leeward-{os.urandom(16).hex()}?vfs=memdb"
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._refusal: str | None = None
        watch(self)

    def __str__(self) -> str:
        return MEMORY if self.path is None else str(self.path)

    @property
    def is_there(self) -> bool:
        """Whether a look at it makes no file."""
        return self.path is None or self.path.exists()

    def read(self, timeout: float) -> AbstractContextManager[sqlite3.Connection]:
        """Return the connection, for one statement that only reads.

        Raises:
            DatabaseFault: it could not be done, or not within `timeout` seconds.
            ConfigError: the file cannot be trusted, or holds something else.
        """
        return self._use(timeout, writes=False)

    def write(self, timeout: float) -> AbstractContextManager[sqlite3.Connection]:
        """Return the connection, inside a transaction that is on the disk when the block ends.

        The transaction excludes others from its start, so that its end cannot meet a lock. A slow
        disk can exceed `timeout`: an fsync cannot be cut short.

        Raises:
            DatabaseFault: AMBIGUOUS if what was written may be on the disk.
            ConfigError: as in `read`.
        """
        return self._use(timeout, writes=True)

    @contextmanager
    def _use(self, timeout: float, *, writes: bool) -> Iterator[sqlite3.Connection]:
        until = time.monotonic() + timeout
        try:
            with _Turn(self._lock, min(max(timeout, 0.0), threading.TIMEOUT_MAX)):
                connection = self._ready(until - time.monotonic())
                try:
                    if writes:
                        connection.execute("BEGIN EXCLUSIVE")
                    yield connection
                except sqlite3.Error as error:
                    self._undo(connection, error)
                    raise fault_of(error) from error
                except BaseException as error:
                    self._undo(connection, error)
                    raise
                if writes:
                    self._commit(connection)
        except StopIteration:
            raise fault_of_wait() from None

    def connect(self) -> sqlite3.Connection:
        """Return a connection of its own to the same data; the caller closes it.

        Raises:
            ConfigError: what is there cannot be trusted, or this SQLite cannot open a memory
                database twice.
        """
        if self.path is not None:
            check_files(self.path)
            return sqlite3.connect(self.path)
        if sqlite3.sqlite_version_info < _SHARED_MEMORY:
            raise ConfigError(
                f"SQLite {sqlite3.sqlite_version} cannot open a memory database twice; "
                f"use 3.36 or later, or give a path"
            )
        return sqlite3.connect(self._memory_uri, uri=True)

    def close(self) -> None:
        """Close the connection and refuse what comes later."""
        with self._lock:
            self._refusal = self._refusal or "closed"
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def hold(self) -> bool:
        """Wait until no transaction is open, and let none begin; for a fork."""
        return self._lock.acquire(timeout=HOLD_SECONDS)

    def release(self) -> None:
        """Allow transactions again; for the parent of a fork."""
        self._lock.release()

    def renew(self, *, held: bool) -> None:
        """Leave the parent's connection alone; for the child of a fork."""
        self._lock = threading.Lock()
        parents, self._connection = self._connection, None
        if parents is not None:
            _abandoned.append(parents)
        if not held:
            self._refusal = "the process forked inside a transaction; fork while no call is made"
        elif parents is not None and self.path is None:
            self._refusal = (
                "a database in memory does not cross a fork; open a new one in the child"
            )

    def _ready(self, seconds: float) -> sqlite3.Connection:
        if self._refusal is not None:
            raise DatabaseFault(Outcome.LOCAL, GONE, self._refusal)
        patience = f"PRAGMA busy_timeout = {min(max(int(seconds * 1000), 0), 2**31 - 1)}"
        if (connection := self._connection) is not None:
            if self.path is None or _file_at(self.path) in (None, self._file):
                connection.execute(patience)
                return connection
            self._drop(connection)  # somebody has put a copy in the place of its file
        connection = self._open()
        try:
            connection.execute(patience)
            prepare(connection, self._schema, str(self))
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error):
                raise fault_of(error) from error
            raise
        self._connection = connection
        return connection

    def _open(self) -> sqlite3.Connection:
        try:
            if self.path is None:
                shared = sqlite3.sqlite_version_info >= _SHARED_MEMORY
                return _connect(self._memory_uri if shared else MEMORY, uri=shared)
            with _creating:
                is_new = create_file(self.path)
                connection = _connect(str(self.path), uri=False)
                self._file = _file_at(self.path)
            if is_new:
                self._created()
            return connection
        except (OSError, sqlite3.Error) as error:
            raise fault_of(error) from error

    def _commit(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._drop(connection)
            raise (fault_of if self._is_undone(error) else fault_at_end)(error) from error

    def _is_undone(self, error: sqlite3.Error) -> bool:
        """Return whether a failed COMMIT has left nothing, as on a full disk.

        It counts once its journal is truncated, and no page is written after that
        (https://sqlite.org/atomiccommit.html, 3.11): after a failed write this look undoes it.
        """
        if getattr(error, "sqlite_errorcode", 0) not in (
            sqlite3.SQLITE_FULL,
            sqlite3.SQLITE_IOERR_WRITE,
        ):
            return False
        with suppress(DatabaseFault, ConfigError, sqlite3.Error):
            connection = self._ready(1.0)
            return select(connection, "PRAGMA journal_mode", ()) == [("truncate",)]
        return False

    def _undo(self, connection: sqlite3.Connection, error: BaseException) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            # The journal is still there; whoever opens the file next rolls back from it.
            self._drop(connection)
            return
        sound = not isinstance(error, sqlite3.Error) or primary_code(error) in BUSY
        if self.path is not None and not sound:
            self._drop(connection)

    def _drop(self, connection: sqlite3.Connection) -> None:
        """Drop a handle that failed to write, so that the next call opens the file anew.

        The system may have forgotten unwritten pages: an fsync that is tried again on the same
        handle can succeed and prove nothing.
        """
        self._connection = None
        connection.close()
        if self.path is None:
            self._refusal = "the database in memory failed and is gone; open a new one"


def select(
    connection: sqlite3.Connection, query: str, parameters: Sequence[Any] | Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """Return the rows of a query; a text that is not UTF-8 stands in them as bytes."""
    try:
        return connection.execute(query, parameters).fetchall()
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):  # the message of Python's module; it has no code
            raise
    connection.text_factory = _decode
    try:
        return connection.execute(query, parameters).fetchall()
    finally:
        connection.text_factory = str


def _decode(text: bytes) -> str | bytes:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text


def _file_at(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from any other; None if there is none."""
    with suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None


def _connect(source: str, *, uri: bool) -> sqlite3.Connection:
    return sqlite3.connect(source, uri=uri, isolation_level=None, check_same_thread=False)


class FilePresence:
    """The locks beside one database, by app; a process that ends loses its own.

    They are of processes and not of files (``lockf``), so what a handler has started holds none.
    """

    def __init__(self, database: Path | None) -> None:
        self._database = None if sys.platform == "win32" else database
        self._held: dict[str, int] = {}

    def hold(self, app: str) -> None:
        """Show from now on that this process works for an app; not where a lock cannot be had."""
        if self._database is None or app in self._held:
            return
        with suppress(OSError):
            self._database.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            descriptor = self._open(app, os.O_CREAT)
            self._held[app] = descriptor
            fcntl.lockf(descriptor, fcntl.LOCK_SH)

    def release(self) -> None:
        """End what `hold` began."""
        while self._held:
            os.close(self._held.popitem()[1])

    def is_held(self, app: str) -> bool:
        """Return whether another process works for an app."""
        if self._database is None:
            return False
        try:
            descriptor = self._open(app)
        except OSError:
            return False
        try:
            for attempt in range(LOOKS):
                time.sleep(PAUSE * bool(attempt))
                with suppress(OSError):
                    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return False
            return True
        finally:
            os.close(descriptor)

    def _open(self, app: str, flags: int = 0) -> int:
        assert self._database is not None
        place = self._database.with_name(f"{self._database.stem}.{app}.worker")
        return os.open(place, os.O_RDWR | os.O_NOFOLLOW | flags, 0o600)


def steady_clock(database: Database, clock: Clock | None) -> SteadyClock:
    """Return the clock of the leases in a database, which nobody sets.

    All processes of a machine share its monotonic clock, and agree there how far that is behind.
    """
    clock = clock or SystemClock()
    boot = boot_of_machine()
    if boot is None:  # not Linux: a monotonic clock may stop while a machine sleeps
        return SteadyClock(clock, None)

    def agree(ahead: float) -> float:
        if not isinstance(clock, SystemClock):  # a test has a clock of its own
            return ahead
        with database.write(PATIENCE) as connection:
            connection.execute(_CLOCKS)
            connection.execute(_AGREE, (boot, ahead))
            return float(connection.execute(_AGREED, (boot,)).fetchone()[0])

    return SteadyClock(clock, agree)


# By the boot of a machine: seconds by which the time of leases is ahead of its monotonic clock.
_CLOCKS: Final = """CREATE TABLE IF NOT EXISTS clocks (
    boot TEXT PRIMARY KEY, ahead REAL NOT NULL) WITHOUT ROWID"""
_AGREE: Final = "INSERT INTO clocks VALUES (?, ?) ON CONFLICT DO NOTHING"
_AGREED: Final = "SELECT ahead FROM clocks WHERE boot = ?"
