"""The plans of a target by verb. Each service's module is loaded when a verb first needs it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from leeward.adapter.lazy_plans import LazyPlans
from leeward.adapter.plans import Planner
from leeward_aws.settings.options import Settings

_HOMES: Final = {
    "invoke enqueue": "functions",
    "publish": "events",
    "store load delete scan": "tables",
}
"""Verbs to the module whose function of the same name gives their plans."""


def plans(settings: Settings) -> LazyPlans:
    """Return verb to planner, of one target."""
    return LazyPlans({verbs: partial(_made, name, settings) for verbs, name in _HOMES.items()})


def _made(name: str, settings: Settings) -> Mapping[str, Planner]:
    from importlib import import_module

    found: Mapping[str, Planner] = getattr(import_module(f"leeward_aws.{name}.plans"), name)(
        settings
    )
    return found
