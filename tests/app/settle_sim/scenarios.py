"""Which interleavings are visited: the small set of the tests, and all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import product
from typing import Final

from tests.app.settle_sim.actors import (
    Kind,
    Probed,
    Script,
    call_again,
    deliver,
    judge,
    pry,
    settle,
)
from tests.app.settle_sim.space import Member, Scenario

KINDS: Final = tuple(
    Kind(marked, probed, recorded, run_unknown)
    for marked, probed, recorded, run_unknown in product(
        (False, True), Probed, (True, False), (False, True)
    )
    if recorded or not run_unknown
)


def packet(
    number: int, script: Script, voids: int = 0, amount: int = 1, *, asleep: bool = False
) -> Member:
    """Return a delivery of the call, the first one or a late one; or of another payload."""
    actor = partial(deliver, label=f"p{number}", script=script, voids=voids, amount=amount)
    return Member(f"packet {number}", actor, asleep=asleep)


def caller(script: Script) -> Member:
    """Return a client that calls again where its key was settled."""
    return Member("caller", partial(call_again, label="c", script=script))


def settler(
    number: int, again: Script | None, age: float | None = 1.0, ahead: int = 0, voids: int = 0
) -> Member:
    """Return somebody who settles the key, and calls again if nothing has run."""
    actor = partial(settle, label=f"s{number}", script=again, age=age, voids=voids)
    return Member(f"settler {number}", actor, ahead)


def scenario(
    kind: Kind,
    scripts: tuple[Script, ...],
    *,
    settlers: int = 1,
    calls_again: bool = False,
    newer: Script | None = None,
    judges: tuple[bool, ...] = (),
    others: int = 0,
    strangers: int = 0,
    aged: bool = True,
    ahead: int = 0,
    asleep: bool = False,
    ends: int = 1,
    kills: int = 1,
    faults: int = 0,
) -> Scenario:
    """Return a scenario: a delivery for each script, and settlers.

    Args:
        kind: of the function.
        scripts: of the deliveries.
        settlers: how many; the first one calls again where nothing has run.
        calls_again: there is a caller who does so where its call is refused.
        newer: there are a call that knows of one void of the key, and a settler who does.
        judges: who decides on a call that waits: True for one who approves it.
        others: how many calls come with the same key and another payload.
        strangers: how many settle the same key as another principal.
        aged: the settlers know how old the call is.
        ahead: how many leases their clocks are ahead.
        asleep: the machines of the deliveries are, at times.
        ends, kills, faults: of the scenario.
    """
    members = [packet(n, script, asleep=asleep) for n, script in enumerate(scripts)]
    if calls_again:
        members.append(caller(Script.RETURNS))
    age = 1.0 if aged else None
    for number in range(settlers):
        again = Script.RETURNS if number == 0 else None
        members.append(settler(number, again, age, ahead))
    if newer is not None:
        members.append(packet(8, newer, voids=1))
        if not kills:
            members.append(settler(8, None, age, ahead, voids=1))
    members += [packet(number, Script.RETURNS, amount=2) for number in range(4, 4 + others)]
    members += [Member(f"stranger {number}", pry) for number in range(strangers)]
    for number, approves in enumerate(judges):
        decide = partial(judge, label=f"j{number}", approves=approves)
        members.append(Member(f"judge {number}", decide))
    return Scenario(kind, tuple(members), ends, kills, faults, aged)


ANYWHERE: Final = Kind(False)
MARKED: Final = Kind(True)
ANYWHERE_PROBED: Final = Kind(False, Probed.DONE_SO_FAR)
MARKED_PROBED: Final = Kind(True, Probed.DONE_SO_FAR)
MARKED_TRUTH: Final = Kind(True, Probed.TRUTH)
ASKS: Final = Kind(False, asks=True)
MARKED_ASKS: Final = Kind(True, asks=True)

RETURNS: Final = Script.RETURNS
TWO: Final = (Script.RETURNS, Script.RETURNS)

QUICK: Final[Mapping[str, Mapping[str, Scenario]]] = {
    "late packets": {
        "effects anywhere": scenario(ANYWHERE, TWO, ends=2),
        "effects marked": scenario(MARKED, TWO),
        "a call that knows of the void": scenario(MARKED, (), newer=RETURNS, kills=0),
        "one that frees the key": scenario(ANYWHERE, (RETURNS,), newer=Script.DECLINES),
        "one that is killed": scenario(MARKED, (RETURNS,), newer=RETURNS),
        "a caller who calls again": scenario(MARKED, (RETURNS,), calls_again=True),
        "a clock that is ahead": scenario(MARKED, TWO, ahead=3, kills=0),
        "a clock that is behind": scenario(MARKED, TWO, ahead=-3, kills=0),
    },
    "failures": {
        script.value: scenario(kind, (script, RETURNS))
        for kind, script in (
            (MARKED, Script.BREAKS),
            (ANYWHERE, Script.DECLINES),
            (ANYWHERE, Script.REFUSES),
            (MARKED, Script.LOSES),
            (MARKED, Script.TWICE),
        )
    },
    "runs again": {
        "half done, marked": scenario(MARKED, (Script.HALF, RETURNS)),
        "half done, and it breaks": scenario(MARKED, (Script.HALF, Script.BREAKS)),
        "half done, anywhere": scenario(ANYWHERE, (Script.HALF, RETURNS)),
        "unknown, marked": scenario(Kind(True, run_unknown=True), (Script.LOSES, RETURNS)),
        "unknown, anywhere": scenario(Kind(False, run_unknown=True), (Script.LOSES, RETURNS)),
        "killed, and it breaks": scenario(MARKED, (RETURNS, Script.BREAKS), ends=2),
        "half done, and late": scenario(MARKED, (RETURNS,), newer=Script.HALF),
        "half done, and it breaks twice": scenario(
            MARKED, (Script.HALF, Script.BREAKS, Script.BREAKS), settlers=0
        ),
        "unknown, anywhere, a probe": scenario(
            Kind(False, Probed.DONE_SO_FAR, run_unknown=True), (RETURNS, Script.BREAKS), ends=2
        ),
    },
    "probes": {
        "anywhere": scenario(ANYWHERE_PROBED, TWO),
        "anywhere, its answer lost": scenario(ANYWHERE_PROBED, (Script.LOSES, RETURNS)),
        "anywhere, and it breaks": scenario(ANYWHERE_PROBED, (Script.BREAKS, RETURNS)),
        "marked": scenario(MARKED_PROBED, (RETURNS,), ends=2),
        "marked, two settlers": scenario(MARKED_PROBED, (RETURNS,), settlers=2),
        "marked, a late packet": scenario(MARKED_PROBED, TWO),
        "marked, a late packet of a void": scenario(MARKED_PROBED, (RETURNS,), newer=RETURNS),
        "marked, two effects": scenario(MARKED_PROBED, (Script.TWICE,), settlers=2),
        "marked, and it breaks": scenario(MARKED_PROBED, (Script.BREAKS, RETURNS)),
        "cannot tell": scenario(Kind(True, Probed.MUTE), (Script.LOSES, RETURNS)),
        "it fails as declared after its effect": scenario(
            MARKED_PROBED, (Script.BALKS, RETURNS), kills=0
        ),
        "a half-done one": scenario(MARKED_TRUTH, (Script.HALF, RETURNS), kills=0),
        "it knows what is on its way": scenario(MARKED_TRUTH, (Script.LOSES,), settlers=2),
        "a machine that was asleep": scenario(
            MARKED_TRUTH, (Script.TWICE, RETURNS), asleep=True, kills=0
        ),
        "a clock ahead of an effect": scenario(MARKED_PROBED, TWO, ahead=3, kills=0),
        "a clock that is ahead": scenario(MARKED_TRUTH, (Script.TWICE, RETURNS), ahead=3, kills=0),
    },
    "age unknown": {
        "no probe": scenario(MARKED, (RETURNS,), aged=False),
        "a probe": scenario(MARKED_TRUTH, (RETURNS,), aged=False),
        "it cannot tell": scenario(Kind(True, Probed.MUTE), (RETURNS,), aged=False),
        "a stranger": scenario(MARKED_TRUTH, (RETURNS,), strangers=1, aged=False),
    },
    "the table fails": {
        "marked": scenario(MARKED, (RETURNS,), faults=1),
        "anywhere": scenario(ANYWHERE, (RETURNS,), faults=2, kills=0),
        "marked, twice": scenario(MARKED, (RETURNS,), faults=2, kills=0),
        "a probe": scenario(MARKED_PROBED, (RETURNS,), faults=1),
        "a probe, two effects": scenario(MARKED_PROBED, (Script.TWICE,), faults=1, kills=0),
        "two deliveries": scenario(ANYWHERE, TWO, faults=1, kills=0),
    },
    "approvals": {
        "approved": scenario(ASKS, TWO, judges=(True,), ends=0, kills=0),
        "refused": scenario(ASKS, TWO, judges=(False,), ends=0, kills=0),
        "approved and refused": scenario(
            ASKS, TWO, judges=(True, False), settlers=0, ends=0, kills=0
        ),
        "it breaks, and is called again": scenario(
            MARKED_ASKS, (Script.BREAKS, Script.BREAKS, RETURNS), judges=(True,), settlers=0
        ),
        "called again after a void": scenario(
            MARKED_ASKS, (), calls_again=True, judges=(True,), kills=0
        ),
        "the table fails": scenario(
            ASKS, TWO, judges=(True,), settlers=0, ends=0, faults=1, kills=0
        ),
        "a probe": scenario(
            Kind(True, Probed.TRUTH, asks=True), (RETURNS,), judges=(True,), kills=0
        ),
        "another payload": scenario(
            ASKS, TWO, others=1, judges=(True,), settlers=0, ends=0, kills=0
        ),
        "settled before the first call": scenario(
            Kind(True, Probed.MUTE, run_unknown=True, asks=True),
            TWO,
            settlers=2,
            aged=False,
            kills=0,
        ),
        "a probe, settled before the first call": scenario(
            Kind(False, Probed.DONE_SO_FAR, asks=True), TWO, aged=False, kills=0
        ),
    },
    "without a record": {
        "marked": scenario(Kind(True, recorded=False), (RETURNS,), faults=1),
        "anywhere": scenario(Kind(False, recorded=False), TWO, faults=1, kills=0),
        "a probe": scenario(Kind(True, Probed.TRUTH, recorded=False), (RETURNS,), faults=1),
        "it fails as declared": scenario(
            Kind(False, recorded=False), (Script.REFUSES, RETURNS), faults=1, kills=0
        ),
    },
}
"""The interleavings that the tests visit, by what they are about: some seconds for all."""


def quick() -> Iterator[tuple[str, Scenario]]:
    """Yield the scenarios of the tests, with their names."""
    for about, scenarios in QUICK.items():
        for name, each in scenarios.items():
            yield f"{about}: {name}", each


def full() -> Iterator[tuple[str, Scenario]]:
    """Yield all scenarios, with their names."""
    for kind, script in product(KINDS, Script):
        name = f"{kind}: {script.value}"
        late = (script, RETURNS)
        yield f"{name}, late packet", scenario(kind, late, ends=2)
        yield f"{name}, late packet like it", scenario(kind, (script, script))
        yield f"{name}, late packet, a fault", scenario(kind, late, faults=1)
        yield f"{name}, two settlers", scenario(kind, (script,), settlers=2, ends=2)
        yield f"{name}, two settlers, a fault", scenario(kind, (script,), settlers=2, faults=1)
        yield f"{name}, late packet, two settlers", scenario(kind, late, settlers=2)
        yield f"{name}, two faults", scenario(kind, (script,), faults=2)
        yield f"{name}, caller", scenario(kind, (script,), calls_again=True)
        yield f"{name}, newer calls", scenario(kind, (RETURNS,), newer=script)
        yield f"{name}, age unknown", scenario(kind, late, strangers=1, aged=False)
        yield f"{name}, settler ahead", scenario(kind, late, ahead=3)
        yield f"{name}, settler behind", scenario(kind, late, ahead=-3)
    for marked, probed, run_unknown, aged in product(
        (False, True), Probed, (False, True), (True, False)
    ):
        kind = Kind(marked, probed, run_unknown=run_unknown, asks=True)
        for script, judges in product((RETURNS, Script.LOSES, Script.HALF), ((), (True,))):
            name = f"{kind}: {script.value}, {len(judges)} approve, {'age' if aged else 'no age'}"
            for settlers, others in ((1, 0), (1, 1), (2, 0)):
                yield (
                    f"{name}, {settlers} settle, {others} other payload",
                    scenario(
                        kind,
                        (script,),
                        settlers=settlers,
                        judges=judges,
                        others=others,
                        aged=aged,
                        kills=0,
                    ),
                )
    for kind, script, approves in product((ASKS, MARKED_ASKS), Script, (True, False)):
        name = f"{kind}: {script.value}, {'approved' if approves else 'refused'}"
        asked = (script, script, RETURNS)
        yield name, scenario(kind, asked, judges=(approves,), settlers=0)
        yield f"{name}, settled", scenario(kind, (script, RETURNS), judges=(approves,), kills=0)
        yield (
            f"{name}, a fault",
            scenario(kind, (script, script), judges=(approves,), settlers=0, faults=1, kills=0),
        )
        yield (
            f"{name}, two judges",
            scenario(kind, (script, script), judges=(True, approves), settlers=0, kills=0),
        )
