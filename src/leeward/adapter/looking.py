"""Looking whether functions, queues, buses, tables and buckets are there: `leeward doctor`.

Nothing is changed by it.

An adapter has one plan for each kind of thing that its cloud can be asked for, under the verbs of
`leeward.calls.looks.LOOKS`. `table_look` and `bucket_look` make one of a plan that reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from leeward._http.messages import Failure, Request, Response
from leeward.adapter._plan_run import before_effect, result_of
from leeward.adapter.http_functions import Address
from leeward.adapter.plans import SKEWED, STALE_CREDENTIALS, Need, Plan, Planner, Send, View
from leeward.adapter.resolver import FunctionAddress
from leeward.adapter.service import NO_RESPONSE, Service, ahead_of
from leeward.calls import Key, ListObjects, Load, Look, LookResult, Result
from leeward.calls.looks import NONE
from leeward.errors import Outcome
from leeward.records import NamedTuple
from leeward.values import NOTHING

EXPECTED: Final = "leeward"
"""Where an infrastructure file says what is there once it is applied: an output, or metadata."""

EXPECTED_FILE: Final = "leeward.expected.json"
"""The file beside exported ones that has it."""


class Expected(NamedTuple):
    """What an infrastructure file says that is there, for `leeward doctor`.

    Attributes:
        kind: ``function``, ``queue``, ``bus``, ``table`` or ``bucket``; or ``resource``, which the
            adapter compares by itself.
        name: its logical name; of a resource, the target's own.
        target: in whose region.
        type: of a resource, in the adapter's own words.
        has: of a resource, what the file says of it: JSON, by the adapter's own words.
    """

    kind: str
    name: str
    target: str
    type: str = ""
    has: Mapping[str, Any] = NOTHING


def compare(has: Mapping[str, Any], actual: Mapping[str, Any], *, unseen: str = "") -> LookResult:
    """Return how a resource differs from what a file says of it.

    Args:
        has: what the file says, by words for an operator.
        actual: what is there, by the same words; what the file does not name is left out.
        unseen: words, with spaces between, for what else the file says.
    """
    differs: list[str] = []
    for name, wanted in has.items():
        value = NONE if actual.get(name) is None else actual[name]
        if isinstance(wanted, Mapping):
            # Of settings with names, only the names are told: the values may be secrets.
            others = value if isinstance(value, Mapping) else {}
            names = sorted({*wanted, *others})
            differs += [f"{name} {key}" for key in names if wanted.get(key) != others.get(key)]
        elif wanted != value:
            differs.append(f"{name} is {value}, and the files have {wanted}")
    return LookResult(differs=tuple(differs), unseen=tuple(unseen.split()))


def table_look(load: Callable[[Load, View], Plan]) -> Planner:
    """Return the planner that looks for a table, by a `load` of an item which need not exist.

    So the look needs no right of its own.
    """

    def look_for(look: Look, view: View) -> Plan:
        key = Key(look.key, ("leeward-doctor",) * len(look.key))
        return (yield from _look_by(load(Load(look.name, key), view)))

    return look_for


def bucket_look(list_page: Callable[[ListObjects, View], Plan], *, right: str) -> Planner:
    """Return the planner that looks for a bucket, by a page of its list; `right` as for `ask`."""

    def look_for(look: Look, view: View) -> Plan:
        return (yield from _look_by(list_page(ListObjects(look.name), view), right=right))

    return look_for


def function_look(check: Callable[[str], Any], otherwise: Callable[[Address], Plan]) -> Planner:
    """Return the planner that looks for a function whose address is resolved.

    An address that was looked up shows that the function is there; `otherwise` is the plan for one
    that is only configured. `check` raises `InvalidRequest` for a name that no function has.
    """

    def look_for(look: Look, view: View) -> Plan:
        del view
        check(look.name)
        address: Address = yield Need(FunctionAddress(look.name))
        if address.looked_up:
            return Result.ok(LookResult(reached=False))
        return (yield from otherwise(address))

    return look_for


def _look_by(plan: Plan, *, right: str = "") -> Plan:
    """Run a plan that only reads; a success becomes a `LookResult` with the time of the target."""
    seen = NO_RESPONSE
    try:
        step = next(plan)
        while True:
            answer = yield step
            seen = answer if isinstance(answer, Response) else seen
            step = plan.send(answer)
    except StopIteration as end:
        result: Result[Any] = before_effect(end.value)
    if result.outcome is Outcome.OK:
        return Result.ok(LookResult(time=_time_of(seen)))
    return unless_forbidden(result, seen, right)


def ask(service: Service, request: Request, view: View, *, right: str = "", **more: Any) -> Plan:
    """Send one request that a thing answers which is there, without a word on who sends it.

    `right` is the permission that it takes, where calling the thing does not need it: whoever has
    not got it may still be able to call. `more` is as for `Service.exchange`.
    """
    request_steps = service.exchange(request, view, effect=False, **more)
    response, refusal = (yield from request_steps).as_look_up()
    if refusal is None:
        return Result.ok(LookResult(time=_time_of(response)))
    return unless_forbidden(refusal, response, right)


def unless_forbidden(refusal: Result[Any], response: Response, right: str) -> Result[Any]:
    """Return a refusal; or that nobody can tell, where it is only the look that is not allowed."""
    forbidden = response.status in (400, 403) and refusal.outcome is Outcome.AUTH
    if right and forbidden and refusal.reason not in (SKEWED, STALE_CREDENTIALS):
        why = f"this identity may not look ({refusal.code}); that takes {right}, calls do not"
        return Result.ok(LookResult(None, why, _time_of(response)))
    return refusal


def reach(request: Request, why: str) -> Plan:
    """Send a request that anything may answer, without a credential; say `why` that shows no more.

    It must be one that runs nothing, whoever answers.
    """
    response: Response | Failure = yield Send(request, effect=False)
    if isinstance(response, Failure):
        return before_effect(result_of(response))
    return Result.ok(LookResult(None, why, _time_of(response)))


def _time_of(response: Response) -> float | None:
    """Return the time of the server that answered, in Unix seconds, if it says it."""
    return ahead_of(response.headers.get("date", ""), 0.0)
