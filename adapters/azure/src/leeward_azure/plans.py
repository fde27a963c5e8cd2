"""The plans of a target by verb. Each service's module is loaded when a verb first needs it.

A function that only publishes pays at its cold start for no tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from leeward.http.plans import Planner
from leeward_azure.settings import Settings


class Plans(Mapping[str, "Planner"]):
    """Verb to planner, of one target: the verbs of the services that are configured."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[str, Planner] = {}
        self._homes = {
            verb: makers
            for service, verbs, makers in _HOMES
            if getattr(settings, service) is not None
            for verb in verbs.split()
        }

    def __getitem__(self, verb: str) -> Planner:
        if verb not in self._made:
            self._made.update(self._homes[verb](self._settings))
        return self._made[verb]

    def __iter__(self) -> Iterator[str]:
        return iter(self._homes)

    def __len__(self) -> int:
        return len(self._homes)


def _functions(settings: Settings) -> Mapping[str, Planner]:
    from leeward_azure.functions import functions

    assert settings.functions is not None
    return functions(settings.functions)


def _queues(settings: Settings) -> Mapping[str, Planner]:
    from leeward_azure.queues import queues

    assert settings.queues is not None
    return queues(settings.queues)


def _events(settings: Settings) -> Mapping[str, Planner]:
    from leeward_azure.events import EventsDoor, events

    found = settings.events
    assert found is not None
    return events(EventsDoor(found.topic_url or found.namespace, found.urls, found.keys))


def _tables(settings: Settings) -> Mapping[str, Planner]:
    from leeward_azure.tables import CosmosDoor, tables

    assert settings.tables is not None
    return tables(CosmosDoor(settings.tables.origin, settings.tables.database))


_HOMES: Final[tuple[tuple[str, str, Callable[[Settings], Mapping[str, Planner]]], ...]] = (
    ("functions", "invoke", _functions),
    ("queues", "enqueue", _queues),
    ("events", "publish", _events),
    ("tables", "store load delete scan", _tables),
)
"""The setting of a service, its verbs, and what makes their plans."""
