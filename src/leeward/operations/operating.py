"""What an operator does with a client: list the targets, isolate one, ask why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from leeward.errors import InvalidRequest
from leeward.values import ProbeReport, RoutingEvent, TargetStatus

if TYPE_CHECKING:
    from leeward.operations.operations import Operations


class Operating:
    """The methods of both clients that do not wait."""

    _operations: Operations

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: connections and threads stay in their process."""
        raise TypeError(
            f"{type(self).__name__} cannot be pickled or copied: it holds connections and "
            "credentials; open a new one where it is needed"
        )

    def targets(self) -> list[TargetStatus]:
        """Describe the targets, in order: their capabilities, settings and evidence."""
        return self._operations.targets()

    def native(self, target: str, service: str) -> object:
        """Return the vendor's own client of a service, for what is not portable."""
        return self._operations.native(target, service)

    def probe(self, target: str) -> ProbeReport:
        """Check whether a target works, cheaply and without any effect, in 4 seconds at most.

        The result changes nothing: no call goes elsewhere because of it.
        """
        return self._operations.probe(target)

    def isolate(self, target: str) -> None:
        """Send nothing to a target any more, until `restore`.

        Calls that have no other target raise `TargetUnavailable`, or `HomeUnavailable`. Only this
        client is concerned.
        """
        self._operations.router.isolate(self._operations.check_target(target))

    def restore(self, target: str) -> None:
        """Let calls flow to a target again: a share first, then all.

        It ends an isolation, and the pause after failures.
        """
        self._operations.router.restore(self._operations.check_target(target))

    def explain(self, call_id: int) -> str:
        """Return in words what was decided about a call, and why.

        Args:
            call_id: from any of the `attempts` of its result or exception. The client remembers the
                last 256 calls that did not succeed at once.
        """
        from leeward.operations.arguments import check_call_id

        return self._operations.router.explain(check_call_id(call_id))

    def listen(self, listener: Callable[[RoutingEvent], object]) -> None:
        """Call `listener` with every decision about targets and calls from now on.

        It runs on the thread of the call that caused the event, without any lock. Its exceptions
        are ignored.
        """
        if not callable(listener):
            raise InvalidRequest("listener must be callable with one event", field="listener")
        self._operations.router.listen(listener)
