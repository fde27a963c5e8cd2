"""The features whose pairs and triples are tried, and what keeps some from meeting."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, Final

from leeward.testing import Fault
from tests.pairs.worlds import Plan

FEATURES: Final[Mapping[str, Mapping[str, Any]]] = {
    "an unsafe call": {"kind": "unsafe"},
    "a keyed call": {"kind": "keyed"},
    "a queue": {"kind": "message"},
    "an event": {"kind": "event"},
    "a workflow": {"kind": "run"},
    "records": {"guard": "anywhere"},
    "marked effects": {"guard": "marked"},
    "a probe": {"probe": "tells"},
    "a probe that cannot tell": {"probe": "cannot tell"},
    "an approval": {"approval": True},
    "principals": {"principal": True},
    "repeats that may run": {"reruns": True},
    "a nested call": {"inner": True},
    "a thread of a handler": {"thread": True},
    "a failure before the effect": {"raises": "before"},
    "a failure after the effect": {"raises": "after"},
    "a declared failure": {"raises": "declared"},
    "a lost request": {"fault": Fault.LOSE_REQUEST},
    "a lost answer": {"fault": Fault.LOSE_ANSWER},
    "a refusal": {"fault": Fault.REFUSE},
    "throttling": {"fault": Fault.THROTTLE},
    "failover": {"targets": 2},
    "isolation": {"targets": 2, "isolated": True},
    "a turned order": {"targets": 2, "turned": True},
    "hedges": {"targets": 2, "hedge": True},
    "the spool": {"kind": "event", "spool": True},
    "an ordering key": {"kind": "event", "ordering": True},
    "an awaited client": {"awaited": True},
    "a moved module": {"change": "module"},
    "a renamed function": {"change": "function"},
    "another table": {"change": "table"},
    "another principal": {"change": "principal"},
    "a longer keep": {"change": "keep"},
    "records from a version on": {"change": "undecorated"},
    "settling by the error": {"settles": "error"},
    "settling by the key": {"settles": "key"},
    "a repeat": {"repeats": True},
    "a late request": {"fault": Fault.LOSE_REQUEST, "late": True},
    "a log that fails": {"loud": True},
    "a batch": {"kind": "event", "batch": True},
    "a residency": {"targets": 2, "resident": True},
    "another app in the stores": {"neighbour": True},
    "a run that is cancelled": {"kind": "run", "cancels": True},
    "a redrive": {"redrives": True},
    "a clock that is ahead": {"ahead": True},
}

NEEDS: Final[Mapping[str, tuple[str, tuple[Any, ...]]]] = {
    "guard": ("kind", ("keyed", "message", "event", "run")),
    "probe": ("guard", ("anywhere", "marked")),
    "approval": ("guard", ("anywhere", "marked")),
    "principal": ("guard", ("anywhere", "marked")),
    "reruns": ("guard", ("anywhere", "marked")),
    "change": ("guard", ("anywhere", "marked")),
    "settles": ("kind", ("keyed",)),
    "repeats": ("guard", ("anywhere", "marked")),
    "neighbour": ("kind", ("keyed", "unsafe", "event", "run")),
    "redrives": ("kind", ("message", "event")),
    "ahead": ("guard", ("anywhere", "marked")),
}
"""What a setting that is not the default wants of another one. The first choice is taken where no
feature of a triple says anything else."""


def combine(names: tuple[str, ...]) -> Plan | str:
    """Return the plan of features together, or why they cannot meet."""
    chosen: dict[str, Any] = {}
    owner: dict[str, str] = {}
    for name in names:
        for slot, value in FEATURES[name].items():
            if chosen.setdefault(slot, value) != value:
                return f"{name} and {owner[slot]} are two choices of one {slot}"
            owner.setdefault(slot, name)
    for wanted in ("guard", "kind"):  # a guard that is needed wants a kind itself
        for slot, (other, choices) in NEEDS.items():
            if not chosen.get(slot) or other != wanted:
                continue
            if wanted in chosen and chosen[wanted] not in choices:
                return f"{owner.get(slot, slot)} needs {' or '.join(choices)} as its {other}"
        fits = [
            choices
            for slot, (other, choices) in NEEDS.items()
            if chosen.get(slot) and other == wanted
        ]
        if fits and wanted not in chosen:
            common = [each for each in fits[0] if all(each in others for others in fits)]
            if not common:
                return f"{' and '.join(names)} have no {wanted} in common"
            chosen[wanted] = common[0]
    return Plan(**chosen)


def all_of(size: int) -> list[tuple[str, ...]]:
    """Return every set of so many features that can meet."""
    return [names for names in combinations(FEATURES, size) if isinstance(combine(names), Plan)]
