"""Plans: an adapter's operations as pure generators, and what they yield.

```python
def plan(call, view):
    token = yield Need(Token("https://example.com/.default"))
    response = yield Send(encode(call, token, view.now))
    return decode(response)
```

A plan does no I/O, keeps no time and reads no environment. It yields at most one `Send` with an
effect, so that one attempt is one effectful request by construction; `PlanRun` enforces it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Mapping
from functools import partial
from typing import Any, TypeAlias

from leeward._http.messages import Request, Response
from leeward.calls import Call, Result
from leeward.masking import outline, show_only
from leeward.records import NamedTuple
from leeward.values import NOTHING

STALE_CREDENTIALS = "stale_credentials"
"""The `Result.reason` of an AUTH or NOT_FOUND result that a fresh credential, or address, may mend:
the plan is run again, once, with one."""

SKEWED = "clock_skewed"
"""The `Result.reason` of an AUTH result of a plan that has told the target's time: it is run again,
once, by that time."""

CLOCK_SKEW = "clock_skew"
"""The name under which `TheirTime` is remembered: what to add to this machine's clock, in seconds,
to get the target's. It is added to `View.now`."""


class View:
    """What a plan may see of the world, as of the last answer that it got. Read-only for plans.

    It moves on with the plan: a credential may have taken its time, so a plan that signs by `now`
    or tells a deadline makes its request last, when it sends it.

    Attributes:
        now: Unix seconds, corrected by the clock skew that the target has shown.
        timeout: seconds that are left for the attempt.
        learnt: what earlier plans have found out, such as a session. Read-only.
    """

    __slots__ = ("learnt", "now", "timeout")

    def __init__(self, now: float, timeout: float, learnt: Mapping[str, Any] = NOTHING) -> None:
        self.now = now
        self.timeout = timeout
        self.learnt = learnt

    def __repr__(self) -> str:
        return f"View(now={self.now}, timeout={self.timeout}, learnt={outline(self.learnt)})"


class Need(NamedTuple):
    """Ask for something that takes a look-up of its own: a credential, an address, a project.

    The answer is what the adapter's source gives for it. Where nothing is available the plan
    ends: NOT_SENT if nobody could be asked, else AUTH or NOT_FOUND.

    Attributes:
        what: small and hashable; the source knows it.
    """

    what: Hashable


class Send(NamedTuple):
    """Ask for one request to be sent.

    With an effect, the answer is a `Response`: without one the plan ends here. A look-up,
    ``effect=False``, is answered with a `Response` or a `Failure`, and the plan decides. It gets a
    share of the time that is left; where it has still taken, and nothing with an effect was
    sent, the plan ends with what the failure proves.

    Attributes:
        request: as it goes over the wire.
        effect: whether it may change something.
        proves: the status alone, of a success, says that it ran.
    """

    request: Request
    effect: bool = True
    proves: bool = True


@show_only("name")
class Learn(NamedTuple):
    """Remember something as ``view.learnt[name]`` for later plans; None forgets it. No answer.

    Attributes:
        name: under which.
        value: what is to be remembered, unless there is a `merge`.
        merge: makes what is to be remembered from what is remembered now, None for nothing, and
            `value`. It is pure, and nothing else is learnt while it runs: of plans that learn at
            the same time none loses what another has found.
    """

    name: str
    value: Any
    merge: Callable[[Any, Any], Any] | None = None


class TheirTime(NamedTuple):
    """Report what the target's clock says in its answer, the one that came last. No answer.

    What its clock is ahead of this machine's takes the place of what was known of that.

    Attributes:
        time: Unix seconds.
    """

    time: float


class Drop(NamedTuple):
    """Use no connection to `origin` again that is there now: they lead to the wrong place.

    The next request looks the name up and connects anew. No answer.
    """

    origin: str


Step: TypeAlias = Need | Send | Learn | TheirTime | Drop
Answer: TypeAlias = Any
Plan: TypeAlias = Generator[Step, Answer, Result[Any]]
Planner: TypeAlias = Callable[[Any, View], Plan]


def planners_of(*first: Any, **plans: Callable[..., Plan]) -> dict[str, Planner]:
    """Return the planner of each verb: a plan with its first arguments."""
    return {verb: partial(plan, *first) for verb, plan in plans.items()}


def single(
    encode: Callable[[Any, View], Request], decode: Callable[[Any, Response], Result[Any]]
) -> Planner:
    """Make a plan of the simple case: one request, no credential, one answer."""

    def plan(call: Call, view: View) -> Plan:
        response: Response = yield Send(encode(call, view))
        return decode(call, response)

    return plan
