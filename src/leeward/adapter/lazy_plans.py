"""The plans of a target by verb; those of a service are loaded when a verb first needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from leeward.errors import ConfigError

if TYPE_CHECKING:
    from leeward.adapter.plans import Planner


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
            try:
                self._made.update(loaded(maker)(setting))
                made = self._made[verb]
            except (ImportError, AttributeError, KeyError) as error:
                name = type(error).__name__
                raise ConfigError(f"{maker!r} gives no plan of {verb}: {name}: {error}") from error
        return made

    def __contains__(self, verb: object) -> bool:
        return verb in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)
