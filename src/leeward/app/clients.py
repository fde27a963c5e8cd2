"""The client of an app in this process: the one that runs the app here, else one of its own."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING
from weakref import ref

from leeward.forking import Forkable, watch

if TYPE_CHECKING:
    from leeward._operations.operations import Operations
    from leeward._operations.protocols import MountableApp
    from leeward.aio import AsyncClient
    from leeward.client import Client


class Clients(Forkable):
    """The clients that were opened with an app, as long as they are open."""

    def __init__(self, app: MountableApp) -> None:
        self._app = app
        self._opened: list[ref[Operations]] = []
        self._own: Client | None = None
        self._lock = RLock()
        watch(self)

    def add(self, operations: Operations) -> None:
        """Note the operations of a client that was opened with the app."""
        with self._lock:
            self._opened = [each for each in self._opened if each() is not None]
            self._opened.append(ref(operations))

    def operations(self) -> Operations:
        """Return those of the client that was opened last; where none is open, open one.

        Raises:
            ConfigError: what the environment configures for that one is wrong.
        """
        found = self._running()
        if found is not None:
            return found
        from leeward.client import Client

        with self._lock:
            found = self._running()
            if found is None:
                self._own = Client(app=self._app)  # which adds itself
                found = self._running()
            assert found is not None, "it was opened a moment ago"
            return found

    def client(self) -> Client:
        """Return a client with these operations."""
        from leeward.client import Client, client_over

        return client_over(Client, self.operations())

    def async_client(self) -> AsyncClient:
        """Return the same for coroutines."""
        from leeward.aio import AsyncClient
        from leeward.client import client_over

        return client_over(AsyncClient, self.operations())

    def renew(self, *, held: bool) -> None:
        """Leave the clients to the parent; for the child of a fork."""
        del held
        self._opened, self._own, self._lock = [], None, RLock()

    def _running(self) -> Operations | None:
        for each in reversed(self._opened):
            found = each()
            if found is not None and not found.closed:
                return found
        return None
