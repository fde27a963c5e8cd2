"""The operations of workflows. Runs live in one place, which is opened when it is first needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from leeward._items.json_checks import check_json
from leeward._operations.arguments import check_wait
from leeward.errors import LeewardError
from leeward.forking import ForkLock
from leeward.values import Json

if TYPE_CHECKING:
    from leeward._operations.protocols import Runs
    from leeward.values.runs import Run

WAIT: Final = 60.0  # seconds that a caller waits for a run, if it does not say


class RunOperations:
    """The operations of one client on workflows."""

    def __init__(self, open_runs: Callable[[], Runs]) -> None:
        self._open = open_runs
        self._runs: Runs | None = None
        self._is_closing = False
        self._opening = ForkLock(whole=False)

    @property
    def at_home(self) -> Runs:
        """The runs, where they live; it raises `LeewardError` if the client is closed."""
        with self._opening:
            if self._runs is None and not self._is_closing:
                self._runs = self._open()
            if self._runs is None:
                raise LeewardError("this client is closed, and nothing was started; open a new one")
            return self._runs

    def use(self, runs: Runs) -> None:
        """Set the runs to use, which are open already."""
        with self._opening:
            self._runs = runs

    def start(self, workflow: str, value: Json, id: str) -> Run:
        """Start a run, unless there is one of this id."""
        runs = self.at_home
        check_json(value, "value")
        return runs.start(workflow, value, id)

    def send(self, workflow: str, run: str, event: str, value: Json, id: str) -> Run:
        """Send an event to a run."""
        runs = self.at_home
        check_json(value, "value")
        return runs.send(workflow, run, event, value, id)

    def wait(self, workflow: str, id: str, timeout: float | None) -> Run:
        """Wait for the end of a run."""
        runs = self.at_home
        return runs.wait(workflow, id, check_wait(WAIT if timeout is None else timeout))

    def close(self, timeout: float | None) -> None:
        """Await the steps that are under way, and start nothing any more."""
        with self._opening:
            self._is_closing = True
            runs, self._runs = self._runs, None
        if runs is not None:
            runs.close(timeout)
