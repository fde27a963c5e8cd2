"""Hints between processes that rows have come. One may be lost: workers also look each second.

A NOTIFY in the commit of a call would have it wait for every other one that notifies; so a thread
sends it behind the commit. Behind a pooler, which keeps no session, nothing is heard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from select import select
from threading import Condition, Thread
from time import monotonic, sleep
from typing import Any, Final

import psycopg

from leeward.forking import Forkable, start_thread, watch
from leeward.leases.faults import DatabaseFault
from leeward_postgres.connections import INTERVAL, connect_in_time
from leeward_postgres.schema import quote
from leeward_postgres.settings import CONNECT_SECONDS, Settings, parameters_of

APART: Final = 0.02
"""Seconds between two hints that a process sends, and between two that it follows."""
AGAIN: Final = 5.0  # seconds until a lost connection is opened again


class Hints(Forkable):
    """What a process tells others of one schema, and hears of them.

    Args:
        ask: makes a statement.
        settings: of the target.
    """

    def __init__(self, ask: Callable[[str, Sequence[Any]], object], settings: Settings) -> None:
        self._ask, self._settings = ask, settings
        self._changed, self._names, self._is_closed = Condition(), set[str](), False
        self._threads: dict[Callable[[], None], Thread] = {}
        self._hear: Callable[[set[str]], None] = lambda _: None
        watch(self)

    def send(self, *names: str) -> None:
        """Send others a hint, soon, that there are rows for queues or buses of these names."""
        with self._changed:
            self._names.update(names)
            self._changed.notify()
        self._start(self._send)

    def listen(self, hear: Callable[[set[str]], None]) -> None:
        """Call `hear` with the names for which rows have come; with none, for what came before."""
        self._hear = hear
        self._start(self._listen)

    def close(self) -> None:
        """Send what is left, and end the threads."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        for thread in self._threads.values():
            thread.join(1.0)

    def end(self) -> None:
        """End the threads: a subinterpreter ends."""
        self.close()

    def renew(self, *, held: bool) -> None:
        """Leave the threads to the parent of a fork."""
        del held
        self._changed, self._names, self._threads = Condition(), set(), {}

    def _start(self, work: Callable[[], None]) -> None:
        with self._changed:
            if work not in self._threads and not self._is_closed:
                thread = Thread(target=work, name="leeward-hints", daemon=True)
                if start_thread(thread):
                    self._threads[work] = thread

    def _send(self) -> None:
        while not self._is_closed or self._names:
            with self._changed:
                self._changed.wait_for(lambda: self._names or self._is_closed)
                names, self._names = self._names, set()
            if names:
                sql = "SELECT pg_notify(%s, name) FROM unnest(%s::text[]) AS name"
                with suppress(DatabaseFault):
                    self._ask(sql, (self._settings.schema, [*names]))
                sleep(0.0 if self._is_closed else APART)

    def _listen(self) -> None:
        parameters, is_direct = parameters_of(self._settings), True
        while is_direct and not self._is_closed:
            with suppress(psycopg.Error):
                connection = connect_in_time(parameters, monotonic() + CONNECT_SECONDS)
                with connection:
                    connection.autocommit = True
                    is_direct = _keeps_session(connection)
                    if is_direct:
                        connection.execute(f"LISTEN {quote(self._settings.schema)}".encode())
                        self._hear(set())
                        self._follow(connection.pgconn)
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed, AGAIN if is_direct else 0.0)

    def _follow(self, pgconn: Any) -> None:
        while not self._is_closed:
            if select([pgconn.socket], [], [], INTERVAL)[0]:
                pgconn.consume_input()
                names = set()
                while (notice := pgconn.notifies()) is not None:
                    names.add(notice.extra.decode())
                if names:
                    self._hear(names)
                    sleep(APART)


def _keeps_session(connection: psycopg.Connection[Any]) -> bool:
    """Return whether no pooler stands between: the process that it named would be another one."""
    ((process,),) = connection.execute("SELECT pg_backend_pid()").fetchall()
    return bool(process == connection.pgconn.backend_pid)
