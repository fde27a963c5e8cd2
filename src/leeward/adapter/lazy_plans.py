"""What an adapter loads when it is first needed: the plans of a service, a transport of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from leeward.adapter.plans import Planner
    from leeward.http.messages import Failure, Request, Response


class Plans(NamedTuple):
    """Where the planners of some verbs come from.

    Attributes:
        verbs: with blanks between.
        maker: what gives a planner for each of them; itself, or as ``"module:function"``.
        setting: which of the adapter's settings it is handed. Where that is None the verbs are not
            there. Empty for all settings in one.
    """

    verbs: str
    maker: str | Callable[[Any], Mapping[str, Planner]]
    setting: str = ""


def loaded(function: str | Callable[..., Any]) -> Callable[..., Any]:
    """Return a function itself, or the one of a ``"module:function"``, which is imported now."""
    if not isinstance(function, str):
        return function
    from importlib import import_module

    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


class LazyPlans(Mapping[str, "Planner"]):
    """Verb to planner. A program that only publishes pays at its cold start for no tables.

    Args:
        plans: where they come from.
        settings: of the target.
    """

    def __init__(self, plans: Iterable[Plans], settings: Any) -> None:
        self._makers: dict[str, tuple[str | Callable[[Any], Mapping[str, Planner]], Any]] = {}
        for verbs, maker, name in plans:
            setting = getattr(settings, name) if name else settings
            if setting is not None:
                self._makers.update(dict.fromkeys(verbs.split(), (maker, setting)))
        self._made: dict[str, Planner] = {}

    def __getitem__(self, verb: str) -> Planner:
        made = self._made.get(verb)
        if made is None:
            maker, setting = self._makers[verb]
            self._made.update(loaded(maker)(setting))
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
        from leeward.http.curl import CurlTransport
        from leeward.http.options import options_from_env

        transport = CurlTransport(options_from_env({}))
        try:
            return transport.send(request, timeout)
        finally:
            transport.close()

    def drop(self, origin: str) -> None:
        """Do nothing: no connection is kept."""

    def close(self) -> None:
        """Do nothing: no connection is kept."""
