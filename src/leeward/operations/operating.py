"""What an operator does with a client: look at the targets, take one out, ask why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from leeward.errors import InvalidRequest
from leeward.values import ProbeReport, RoutingEvent, TargetStatus

if TYPE_CHECKING:
    from leeward.operations.operations import Operations


class Operating:
    """The methods that both clients have and that wait for nothing."""

    _operations: Operations

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: connections and threads stay in their process."""
        raise TypeError(
            f"{type(self).__name__} cannot be pickled or copied: it holds connections and "
            "credentials; open a new one where it is needed"
        )

    def targets(self) -> list[TargetStatus]:
        """Describe the targets, in order: what they can do, the settings in force, and evidence."""
        return self._operations.targets()

    def native(self, target: str, service: str) -> object:
        """Return the vendor's own client of a service: the way out, for what is not portable."""
        return self._operations.native(target, service)

    def probe(self, target: str) -> ProbeReport:
        """Look whether a target works, cheaply and without any effect; it takes 4 seconds at most.

        It concerns nothing else: no call goes elsewhere because of it.
        """
        return self._operations.probe(target)

    def isolate(self, target: str) -> None:
        """Send nothing to a target any more, whatever is seen of it, until it is restored.

        Calls that may go nowhere else raise `TargetUnavailable`, or `HomeUnavailable`. It concerns
        this client alone.
        """
        self._operations.router.isolate(self._operations.check_target(target))

    def restore(self, target: str) -> None:
        """Let calls flow to a target again: a share first, then all.

        It ends an isolation, and the time for which a target is let rest after failures.
        """
        self._operations.router.restore(self._operations.check_target(target))

    def explain(self, call_id: int) -> str:
        """Return in words what was decided about a call, and why.

        Args:
            call_id: from any of the `attempts` of its result or exception. The last 256 calls that
                did not go well at once are remembered.
        """
        from leeward.operations.arguments import check_call_id

        return self._operations.router.explain(check_call_id(call_id))

    def listen(self, listener: Callable[[RoutingEvent], object]) -> None:
        """Let `listener` know everything that is decided about targets and calls from now on.

        It is called on the thread of the call that brought the event about, without any lock. What
        it raises is ignored.
        """
        if not callable(listener):
            raise InvalidRequest("listener must be callable with one event", field="listener")
        self._operations.router.listen(listener)
