"""The clients of an app: those that are open, and one that handlers share."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import TYPE_CHECKING
from weakref import ref

from leeward.forking import Forkable, watch

if TYPE_CHECKING:
    from leeward._operations.operations import Operations
    from leeward.aio import AsyncClient
    from leeward.client import Client


class Clients(Forkable):
    """The clients that were opened with an app, as long as they are open.

    Args:
        open_client: opens one where none is open; that client adds itself.
    """

    def __init__(self, open_client: Callable[[], Client]) -> None:
        self._open_client = open_client
        self._opened: list[ref[Operations]] = []
        self._own: Client | None = None
        self._lock = RLock()
        watch(self)

    def add(self, operations: Operations) -> None:
        """Note the operations of a client that was opened with the app."""
        with self._lock:
            self._opened = [opened for opened in self._opened if opened() is not None]
            self._opened.append(ref(operations))

    def operations(self) -> Operations:
        """Return those of the client that was opened last; where none is open, open one.

        Raises:
            ConfigError: what the environment configures for that one is wrong.
        """
        operations = self._running()
        if operations is not None:
            return operations
        with self._lock:
            operations = self._running()
            if operations is None:
                self._own = self._open_client()
                operations = self._running()
            assert operations is not None, "it was opened a moment ago"
            return operations

    def client(self) -> Client:
        """Return a client with these operations."""
        return self.operations().share(client_class())

    def async_client(self) -> AsyncClient:
        """Return the same for coroutines."""
        return self.operations().share(async_client_class())

    def renew(self, *, held: bool) -> None:
        """Keep the clients, which begin anew themselves; for the child of a fork.

        Another client could keep the records of keys elsewhere.
        """
        del held
        self._lock = RLock()

    def _running(self) -> Operations | None:
        for opened in reversed(self._opened):
            operations = opened()
            if operations is not None and not operations.closed:
                return operations
        return None


def client_class() -> type[Client]:
    """Return `leeward.Client`, which a handler that makes no call does not load."""
    from leeward.client import Client

    return Client


def async_client_class() -> type[AsyncClient]:
    """Return the class `leeward.AsyncClient`, which loads on first use."""
    from leeward.aio import AsyncClient

    return AsyncClient
