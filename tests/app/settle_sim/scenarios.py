"""Which interleavings are visited: the small set of the tests, and all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Final

from tests.app.settle_sim.actors import Kind, Probed, Script, call_again, deliver, settle
from tests.app.settle_sim.space import Member, Scenario

KINDS: Final = tuple(
    Kind(marked, probed, recorded, run_unknown)
    for marked, probed, recorded, run_unknown in product(
        (False, True), Probed, (True, False), (False, True)
    )
)


def packet(number: int, script: Script, ahead: int = 0) -> Member:
    """Return a delivery of the call, the first one or a late one."""
    actor = partial(deliver, label=f"p{number}", script=script)
    return Member(f"packet {number}", actor, ahead)


def caller(script: Script, ahead: int = 0) -> Member:
    """Return a client that calls again where its key was settled."""
    return Member("caller", partial(call_again, label="c", script=script), ahead)


def settler(number: int, again: Script | None, age: float | None = 1.0, ahead: int = 0) -> Member:
    """Return somebody who settles the key, and calls again if nothing has run."""
    actor = partial(settle, label=f"s{number}", script=again, age=age)
    return Member(f"settler {number}", actor, ahead)


def scenario(
    kind: Kind,
    scripts: tuple[Script, ...],
    *,
    settlers: int = 1,
    calls_again: bool = False,
    aged: bool = True,
    ahead: int = 0,
    ends: int = 2,
    kills: int = 1,
    faults: int = 0,
) -> Scenario:
    """Return a scenario: a delivery for each script, and settlers whose clock is `ahead`."""
    members = [packet(number, script) for number, script in enumerate(scripts)]
    if calls_again:
        members.append(caller(Script.RETURNS))
    age = 1.0 if aged else None
    for number in range(settlers):
        again = Script.RETURNS if number == 0 else None
        members.append(settler(number, again, age, ahead))
    return Scenario(kind, tuple(members), ends, kills, faults, aged)


def quick() -> Iterator[tuple[str, Scenario]]:
    """Yield the scenarios of the tests, with their names: some seconds for all."""
    returns, loses = Script.RETURNS, Script.LOSES
    for kind in KINDS:
        yield f"{kind}: answers lost", scenario(kind, (returns,), faults=1, ends=1)
        yield f"{kind}: killed", scenario(kind, (loses,), settlers=2, ends=1)
        for script in Script:
            yield f"{kind}: {script.value}, late", scenario(kind, (script, returns), ends=1)


def full() -> Iterator[tuple[str, Scenario]]:
    """Yield all scenarios, with their names."""
    for kind, script in product(KINDS, Script):
        name = f"{kind}: {script.value}"
        late = (script, Script.RETURNS)
        yield f"{name}, late packet", scenario(kind, late)
        yield f"{name}, late packet like it", scenario(kind, (script, script))
        yield f"{name}, late packet, a fault", scenario(kind, late, faults=1, ends=1)
        yield f"{name}, two settlers", scenario(kind, (script,), settlers=2)
        yield f"{name}, two settlers, a fault", scenario(kind, (script,), settlers=2, faults=1)
        yield (
            f"{name}, late packet, two settlers",
            scenario(kind, late, settlers=2, ends=1),
        )
        yield f"{name}, caller", scenario(kind, (script,), calls_again=True)
        yield f"{name}, age unknown", scenario(kind, late, aged=False)
        if kind.probed is not Probed.DONE_SO_FAR or not kind.marked:
            yield f"{name}, settler ahead", scenario(kind, late, ahead=3, ends=1)
            yield f"{name}, settler behind", scenario(kind, late, ahead=-3)
