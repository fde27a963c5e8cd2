"""The plans of a target by verb. Each service's module is loaded when a verb first needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Final

from leeward.adapter.lazy_plans import LazyPlans
from leeward.adapter.plans import Learn, Need, Plan, Planner, View
from leeward_google.identity.credentials import Project
from leeward_google.settings.options import Settings
from leeward_google.settings.services import Tasks, Topics

ByVerb = Mapping[str, Planner]

_PROJECT: Final = "project"
"""Under this name the project of the credentials is remembered."""


def plans(settings: Settings) -> LazyPlans:
    """Return verb to planner, of one target: the verbs of the services that are configured."""
    return LazyPlans(
        {
            verbs: partial(maker, settings)
            for service, verbs, maker in _HOMES
            if getattr(settings, service) is not None
        }
    )


def _functions(settings: Settings) -> ByVerb:
    from leeward_google.functions.plans import functions

    assert settings.functions is not None
    return functions(settings.functions)


def _queued(settings: Settings) -> ByVerb:
    from leeward_google.functions.queues import tasks, topics

    configured = settings.queued
    if isinstance(configured, Topics):
        return _of_project(settings, ("enqueue",), partial(topics, configured))
    assert isinstance(configured, Tasks)
    assert settings.functions is not None
    return tasks(configured, settings.functions)


def _events(settings: Settings) -> ByVerb:
    from leeward_google.events.plans import PubSubEndpoint, events

    configured = settings.events

    def make(project: str) -> ByVerb:
        return events(PubSubEndpoint(configured.origin, project, configured.emulator))

    return _of_project(settings, ("publish",), make)


def _tables(settings: Settings) -> ByVerb:
    from leeward_google.tables.plans import FirestoreEndpoint, tables

    origin, database, emulator = settings.tables

    def make(project: str) -> ByVerb:
        return tables(FirestoreEndpoint(origin, project, database, emulator))

    return _of_project(settings, ("store", "load", "delete", "scan"), make)


_HOMES: Final[tuple[tuple[str, str, Callable[[Settings], ByVerb]], ...]] = (
    ("functions", "invoke", _functions),
    ("queued", "enqueue", _queued),
    ("events", "publish", _events),
    ("tables", "store load delete scan", _tables),
)
"""The setting of a service, its verbs, and what makes their plans."""


def _of_project(
    settings: Settings, verbs: tuple[str, ...], make: Callable[[str], ByVerb]
) -> ByVerb:
    """Return the plans of the target's project; where that is not known, it is asked for first."""
    if settings.project is not None:
        return make(settings.project)
    made = lru_cache(maxsize=2)(make)
    return {verb: partial(_in_project, made, verb) for verb in verbs}


def _in_project(made: Callable[[str], ByVerb], verb: str, call: Any, view: View) -> Plan:
    """Run the plan of `verb` in the project that the credentials belong to.

    What is learnt is not asked for again: a second run of the plan, with another token, ends at
    anything that it is given for the second time.
    """
    project: str | None = view.learnt.get(_PROJECT)
    if project is None:
        _refuse_bad_input(made("unknown")[verb](call, view))
        project = yield Need(Project())
        yield Learn(_PROJECT, project)
    return (yield from made(project)[verb](call, view))


def _refuse_bad_input(plan: Plan) -> None:
    """Let a plan look at its input, which it does before its first step, and no further."""
    next(plan)
    plan.close()
