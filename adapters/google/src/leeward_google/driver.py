"""Opening a Google target: settings in, a driver out. Nothing is sent before the first call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Final, TypeAlias

from leeward.adapter import Capability, Driver, Limits, TargetConfig
from leeward.adapter.opening import LOAD_PROBE, Plans, open_plan_driver
from leeward.adapter.plans import Learn, Need, Plan, Planner, View
from leeward.entrypoints import import_spec
from leeward_google.identity.credentials import Project
from leeward_google.identity.sources import describe_source, source_of
from leeward_google.settings.options import Settings, settings_from
from leeward_google.settings.services import Tasks, Topics, Workflows

DATA: Final = frozenset(
    {
        Capability.ENQUEUE,
        Capability.PUBLISH,
        Capability.ORDERING,
        Capability.TABLES,
        Capability.CONDITIONS,
        Capability.EXPIRY,
        Capability.COMPOSITE_KEYS,
        Capability.SCAN,
        Capability.RANGES,
        Capability.OBJECTS,
    }
)
"""What a project can do without a word on functions."""

LIMITS: Final = Limits(
    payload_bytes=32 * 1024 * 1024,
    # Pub/Sub takes requests of 10 MB. Base64 makes 8.7 MB of these bytes, and what stands around
    # 1,000 events, the ordering key once more among it, can come to 1.1 MB.
    queued_bytes=6_500_000,
    event_bytes=6_500_000,
    batch_events=1000,
    batch_bytes=6_500_000,
    # Items are left at what is safe everywhere: a document has 1 MiB, with its name and leeward's
    # field, and 20 levels.
    key_bytes=1500,
    batch_stores=500,
    model="Firestore",
)
"""Sources: the quota pages of Cloud Run functions, Pub/Sub and Firestore."""

TASK_BYTES: Final = 700_000
"""The largest payload of a task: Cloud Tasks takes 1 MiB, some of it for URL and headers."""


def open_driver(config: TargetConfig) -> Driver:
    """Open a target of Google; the entry point ``google`` of ``leeward.adapters``.

    It declares `invoke` where a URL or a region of functions is configured, workflows where a
    region is, and everything else.

    Raises:
        ConfigError: a setting is wrong; the message names it and the remedy.
    """
    settings = settings_from(config)
    without = f"set function_url, functions or a region in {config.section}"
    no_region = f"set a region in {config.section}"
    by_task = isinstance(settings.queued, Tasks)
    return open_plan_driver(
        config,
        settings,
        PLANS,
        source=source_of,
        native="leeward_google.native:native",
        capabilities=DATA.union(
            [Capability.INVOKE] if settings.functions else [],
            [Capability.WORKFLOWS] if settings.workflows else [],
        ),
        limits=LIMITS._replace(queued_bytes=TASK_BYTES) if by_task else LIMITS,
        probe=LOAD_PROBE,
        has_stages=True,
        describe={
            "project": settings.project or "that of the credentials",
            "region": settings.functions.region if settings.functions else None,
            **_endpoints(settings),
            "database": settings.tables.database,
            "credentials": describe_source(settings, config),
            "quota_project": settings.identity.quota_project,
        },
        missing={
            **({} if settings.functions else {Capability.INVOKE: without}),
            **({} if settings.workflows else {Capability.WORKFLOWS: no_region}),
        },
    )


def _endpoints(settings: Settings) -> Mapping[str, str]:
    """Return the endpoint of each service; of one that is missing, that it is."""
    functions, queued = settings.functions, settings.queued
    place = "not configured"
    if functions is not None:
        looked_up = f"looked up in {functions.region}" if functions.region else ""
        by_name = f"{len(functions.urls)} by name" if functions.urls else ""
        place = functions.url or ", ".join(filter(None, (by_name, looked_up)))
    return {
        "endpoint.functions": place,
        "endpoint.queues": queued.origin
        + (f"/v2/{queued.queue}" if isinstance(queued, Tasks) else ""),
        "endpoint.events": settings.events.origin,
        "endpoint.tables": settings.tables.origin,
        "endpoint.objects": settings.objects.origin,
        "endpoint.logging": settings.logging,
        "endpoint.workflows": settings.workflows.origin if settings.workflows else "not configured",
    }


_PROJECT: Final = "project"
"""Under which the project of the credentials is learnt."""

_ByVerb: TypeAlias = Mapping[str, Planner]

_LOOKS: Final = "look_bus look_table look_queue look_resource look_backlog"


def _queues(settings: Settings) -> _ByVerb:
    configured = settings.queued
    if isinstance(configured, Topics):
        return _of_project(
            settings.project, "enqueue", "leeward_google.functions.messages:topics", configured
        )
    planners: _ByVerb = import_spec("leeward_google.functions.messages:tasks")(
        configured, settings.functions
    )
    return planners


def _looks(settings: Settings) -> _ByVerb:
    planners = _of_project(settings.project, _LOOKS, "leeward_google.looks:of_project", settings)
    if isinstance(settings.queued, Tasks):
        return {**planners, **import_spec("leeward_google.looks:tasks")(settings.queued)}
    return planners


def _runs(configured: Workflows) -> _ByVerb:
    return _of_project(
        configured.project,
        "start_run get_run abort_run",
        "leeward_google.workflows.runs:runs",
        configured,
    )


def _in_project(verbs: str, maker: str, setting: str) -> Plans:
    """Return plans that need the target's project, whose room loads with the first of them."""

    def make(settings: Settings) -> _ByVerb:
        return _of_project(settings.project, verbs, maker, getattr(settings, setting))

    return Plans(verbs, make)


def _of_project(project: str | None, verbs: str, maker: str, setting: Any) -> _ByVerb:
    """Return the plans of the target's project, which is asked for first where it is not known.

    Args:
        project: its id; None where only the credentials know it.
        verbs: with blanks between.
        maker: ``"module:function"``, which takes a setting and the project.
        setting: of the adapter.
    """
    make: Callable[[str], _ByVerb] = partial(import_spec(maker), setting)
    if project is not None:
        return make(project)
    planners = lru_cache(maxsize=2)(make)

    def in_project(verb: str, call: Any, view: View) -> Plan:
        # Learnt, because a second run of the plan ends at what it is given for the second time.
        project: str | None = view.learnt.get(_PROJECT)
        if project is None:
            checking = planners("unknown")[verb](call, view)
            next(checking)  # a plan looks at its input before its first step
            checking.close()
            project = yield Need(Project())
            yield Learn(_PROJECT, project)
        return (yield from planners(project)[verb](call, view))

    return {verb: partial(in_project, verb) for verb in verbs.split()}


PLANS: Final = (
    Plans("invoke settle", "leeward_google.functions.plans:functions", "functions"),
    Plans("enqueue", _queues),
    _in_project(
        "put_message take_messages remove_message hide_message",
        "leeward_google.functions.messages:messages",
        "events",
    ),
    _in_project("publish", "leeward_google.events.plans:events", "events"),
    _in_project(
        "store load delete scan list_items", "leeward_google.tables.plans:tables", "tables"
    ),
    _in_project("store_many", "leeward_google.tables.plans:batches", "tables"),
    Plans(
        "put_object get_object head_object list_objects delete_object",
        "leeward_google.objects.plans:objects",
        "objects",
    ),
    Plans("start_run get_run abort_run", _runs, "workflows"),
    _in_project("read_logs", "leeward_google.functions.logs:logs", "logging"),
    Plans("look_function", "leeward_google.looks:functions", "functions"),
    Plans(_LOOKS, _looks),
    Plans("look_bucket", "leeward_google.looks:objects", "objects"),
)
