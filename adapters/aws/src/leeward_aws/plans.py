"""The plans of a target by verb. Each service's module is loaded when a verb first needs it.

A function that only publishes pays at its cold start for no tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from leeward.http.plans import Planner
from leeward_aws.settings import Settings

_HOMES: Final = {
    "invoke": "functions",
    "enqueue": "functions",
    "publish": "events",
    "store": "tables",
    "load": "tables",
    "delete": "tables",
    "scan": "tables",
}
"""Verb to module; the module's function of the same name gives the plans of all its verbs."""


class Plans(Mapping[str, "Planner"]):
    """Verb to planner, of one target."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[str, Planner] = {}

    def __getitem__(self, verb: str) -> Planner:
        if verb not in self._made:
            self._made.update(self._of(_HOMES[verb]))
        return self._made[verb]

    def __iter__(self) -> Iterator[str]:
        return iter(_HOMES)

    def __len__(self) -> int:
        return len(_HOMES)

    def _of(self, name: str) -> Mapping[str, Planner]:
        from importlib import import_module

        made: Mapping[str, Planner] = getattr(import_module(f"leeward_aws.{name}"), name)(
            self._settings
        )
        return made
