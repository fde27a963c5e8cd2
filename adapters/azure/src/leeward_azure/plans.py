"""The plans of a target by verb. Each service's module is loaded when a verb first needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from leeward.adapter.lazy_plans import LazyPlans
from leeward.adapter.plans import Planner
from leeward_azure.settings.options import Settings


def plans(settings: Settings) -> LazyPlans:
    """Return verb to planner, of one target: the verbs of the services that are configured."""
    return LazyPlans(
        {
            verbs: partial(maker, settings)
            for service, verbs, maker in _HOMES
            if getattr(settings, service) is not None
        }
    )


def _functions(settings: Settings) -> Mapping[str, Planner]:
    from leeward_azure.functions.plans import functions

    assert settings.functions is not None
    return functions(settings.functions)


def _queues(settings: Settings) -> Mapping[str, Planner]:
    from leeward_azure.functions.queues import queues

    assert settings.queues is not None
    return queues(settings.queues)


def _events(settings: Settings) -> Mapping[str, Planner]:
    from leeward_azure.events.plans import EventsEndpoint, events

    found = settings.events
    assert found is not None
    return events(EventsEndpoint(found.topic_url or found.namespace, found.urls, found.keys))


def _tables(settings: Settings) -> Mapping[str, Planner]:
    from leeward_azure.tables.plans import CosmosEndpoint, tables

    assert settings.tables is not None
    return tables(CosmosEndpoint(settings.tables.origin, settings.tables.database))


_HOMES: Final[tuple[tuple[str, str, Callable[[Settings], Mapping[str, Planner]]], ...]] = (
    ("functions", "invoke", _functions),
    ("queues", "enqueue", _queues),
    ("events", "publish", _events),
    ("tables", "store load delete scan", _tables),
)
"""The setting of a service, its verbs, and what makes their plans."""
