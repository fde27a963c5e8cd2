"""What an adapter loads when it is first needed: the plans of a service, a transport of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leeward.adapter.plans import Planner
    from leeward.http.messages import Failure, Request, Response

    Maker = Callable[[], Mapping[str, Planner]]


class LazyPlans(Mapping[str, "Planner"]):
    """Verb to planner. A program that only publishes pays at its cold start for no tables.

    Args:
        makers: verbs, with blanks between, to what makes the plans of them all.
    """

    def __init__(self, makers: Mapping[str, Maker]) -> None:
        self._makers = {verb: maker for verbs, maker in makers.items() for verb in verbs.split()}
        self._made: dict[str, Planner] = {}

    def __getitem__(self, verb: str) -> Planner:
        made = self._made.get(verb)
        if made is None:
            self._made.update(self._makers[verb]())
            made = self._made[verb]
        return made

    def __contains__(self, verb: object) -> bool:
        return verb in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


class OneShotTransport:
    """A transport for one request at a time, which keeps no connection.

    For the endpoints that a platform has for its programs, on addresses of its own: a target's
    transport keeps, in the hardened mode, to the public internet.
    """

    def send(self, request: Request, timeout: float) -> Response | Failure:
        """Send `request` once and give its answer, within `timeout` seconds."""
        from leeward.http.options import options_from_env
        from leeward.http.threads import CurlTransport

        transport = CurlTransport(options_from_env({}))
        try:
            return transport.send(request, timeout)
        finally:
            transport.close()

    def drop(self, origin: str) -> None:
        """Do nothing: no connection is kept."""

    def close(self) -> None:
        """Do nothing: no connection is kept."""
