"""What an adapter implements: `Driver`, one target with one method for all calls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NoReturn

from leeward.adapter.capabilities import NO_PLACE, NONE_MISSING, Capability, Limits
from leeward.calls import SHORTEST_WAIT, Call, Result, Store, time_after
from leeward.clock import running_loop
from leeward.errors import ConfigError, Outcome

if TYPE_CHECKING:
    from leeward.calls import Look


NO_THREAD: Final = "no_thread"
"""The code of an attempt that was not begun, because too many others hold the threads."""


class Driver(ABC):
    """One target. Every method may be called from many threads at once.

    Derive from it, and set the first three attributes: the methods with a body are defaults.

    Attributes:
        target: its name, such as ``aws:us-east-1``.
        capabilities: what it can do.
        limits: the largest that it takes.
        missing: what to set for a capability that it lacks because nothing is configured for it.
        probe_fidelity: what `probe` looks at: ``data_plane``, which also serves the calls, or
            ``control_plane``, which says less; None if there is no probe.
    """

    target: str
    capabilities: frozenset[Capability]
    limits: Limits
    missing: Mapping[Capability, str] = NONE_MISSING
    probe_fidelity: str | None = None

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: connections and credentials stay in their process."""
        raise TypeError(
            f"the driver of {self.target} cannot be pickled or copied: it holds connections and "
            "credentials; open a new one where it is needed"
        )

    @abstractmethod
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make exactly one attempt at `call`, and answer within `timeout` seconds.

        A driver that keeps a line for its places lets an attempt wait there for `timeout.wait`
        seconds besides, where `timeout` is an `AttemptTime`.

        One attempt is one effectful request on the wire: no retry, no redirect, no sleep. What can
        go wrong on the way is told by the `Result`; each call says what the value of an OK one is.

        Raises:
            Unsupported: the call needs a capability that the driver does not declare.
            LeewardError: the call is wrong; raised before anything is sent. Any other exception
                that escapes is taken for AMBIGUOUS.
        """

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Do the same without blocking the event loop; by default `perform`, on a thread.

        Cancelling it gives back what it holds; what was sent stays sent.
        """
        result: Result[Any] = await _on_thread(self._perform_after, call, timeout, monotonic())
        return result

    def probe(self, timeout: float) -> Result[Any]:
        """Look whether the target works, cheaply and without any effect, within `timeout` seconds.

        It is made when a target may have recovered and no call may serve to find out. What matters
        is whether the target answers: OK, or how that failed.
        """
        return Result(Outcome.LOCAL, code="no_probe", message=f"{self.target} has no probe")

    def look(self, look: Look, timeout: float) -> Result[Any]:
        """Look whether a function, queue, bus or table is there, without any effect.

        It is for `leeward doctor`. The value of an OK result is a `leeward.calls.LookResult`.
        """
        from leeward.calls import LookResult

        return Result.ok(LookResult(None, f"the adapter of {self.target} has no way to look"))

    def store_many(self, calls: Sequence[Store], timeout: float) -> list[Result[Any]] | None:
        """Make one attempt at each of many stores, together within `timeout` seconds.

        The conditions of each hold for itself, as by `perform`. None, by default, where the target
        cannot do many at once: nothing was done then.
        """
        del calls, timeout
        return None

    def describe(self) -> Mapping[str, str]:
        """Return the settings in force, the environment's share included; never a secret."""
        return {}

    def places(self) -> tuple[int, int] | None:
        """Return how many requests are under way, and how many calls wait for a place.

        None if the driver does not count them.
        """
        return None

    def native(self, service: str) -> object:
        """Return the vendor's own client of `service`.

        Raises:
            ConfigError: there is no such service; the message names those that there are.
        """
        raise ConfigError(f"{self.target} has no client of {service!r}, nor of any other service")

    def mount(self, app: Any) -> None:  # noqa: B027 - most targets run nothing here
        """Run the handlers of a `leeward.App` in this process, if this target does such a thing.

        By default nothing happens: elsewhere an app is deployed.
        """

    def close(self) -> None:  # noqa: B027 - a driver may have nothing to release
        """Release every connection, thread and file. Closing twice is harmless."""

    async def close_async(self) -> None:
        """Do the same without blocking the event loop; by default `close`, on a thread."""
        await _on_thread(self.close)

    def _perform_after(self, call: Call, timeout: float, since: float) -> Result[Any]:
        """Perform `call`, unless all threads were busy for too long since then."""
        waited = monotonic() - since
        if waited > getattr(timeout, "wait", timeout):
            return Result(Outcome.LOCAL, code=NO_THREAD, reason=NO_PLACE, waited=waited)
        result: Any = self.perform(call, time_after(waited, timeout))
        if waited > SHORTEST_WAIT and isinstance(result, Result):
            result = result._replace(waited=result.waited + waited)
        return result  # type: ignore[no-any-return]  # the router looks whether it is one


async def _on_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    from asyncio import to_thread

    running_loop()
    return await to_thread(work, *arguments)
