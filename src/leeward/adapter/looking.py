"""Looking whether functions, queues, buses, tables and buckets are there: `leeward doctor`.

Nothing is changed by it.

An adapter has one plan for each kind of thing that its cloud can be asked for, under the verbs of
`LOOKS`. `looked` makes a plan of one that reads, such as that of ``load``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from leeward._http.messages import Failure, Request, Response
from leeward.adapter.exchange import NO_RESPONSE, Service, as_look_up, exchange
from leeward.adapter.http_dates import ahead_of
from leeward.adapter.http_functions import Address
from leeward.adapter.plan_run import proves_nothing_done, result_of
from leeward.adapter.plans import SKEWED, STALE_CREDENTIALS, Need, Plan, Planner, Send, View
from leeward.adapter.resolver import FunctionAddress
from leeward.calls import Key, Load, Result
from leeward.errors import Outcome
from leeward.object_calls import ListObjects
from leeward.values import NOTHING

FUNCTION: Final = "look_function"
QUEUE: Final = "look_queue"
BUS: Final = "look_bus"
TABLE: Final = "look_table"
BUCKET: Final = "look_bucket"
RESOURCE: Final = "look_resource"
"""Anything that an exported file has, compared with what that says of it."""

NONE: Final = "none"
"""What a file says of something that is not set."""

LOOKS: Final = (FUNCTION, QUEUE, BUS, TABLE, BUCKET, RESOURCE)

UNANSWERABLE: Final = "its cloud cannot be asked without calling it"


EXPECTED: Final = "leeward"
"""Where an infrastructure file says what is there once it is applied: an output, or metadata."""


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


class Look(NamedTuple):
    """Look whether something is there. The value of an OK result is a `Seen`.

    NOT_FOUND says that it is not there, and AUTH that the identity is refused that would call it.

    Attributes:
        name: the target's own name of it.
        verb: which kind of thing, one of `LOOKS`.
        key: of a table, the fields of its key.
        is_queue: there is no function of this name, but a queue.
        type: of a resource, in the adapter's own words.
        has: of a resource, what a file says of it.
    """

    name: str
    verb: str
    key: tuple[str, ...] = ("id",)
    is_queue: bool = False
    type: str = ""
    has: Mapping[str, Any] = NOTHING


class Seen(NamedTuple):
    """What a look has shown.

    Attributes:
        there: whether it is there; None where that cannot be asked.
        why: why not, in words for an operator.
        time: Unix seconds, as the target's clock has told them; None if it did not.
        reached: whether it was the place itself that calls go to which has answered.
        differs: what of a resource is not as the file has it, each in words.
        unseen: what of a resource nobody has looked at.
    """

    there: bool | None = True
    why: str = ""
    time: float | None = None
    reached: bool = True
    differs: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()


def compared(has: Mapping[str, Any], actual: Mapping[str, Any], *, unseen: str = "") -> Seen:
    """Return how a resource differs from what a file says of it.

    Args:
        has: what the file says, by words for an operator.
        actual: what is there, by the same words; what the file does not name is left out.
        unseen: words, with spaces between, for what else the file says.
    """
    differs: list[str] = []
    for name, wanted in has.items():
        found = NONE if actual.get(name) is None else actual[name]
        if isinstance(wanted, Mapping):
            # Of settings with names, only the names are told: the values may be secrets.
            others = found if isinstance(found, Mapping) else {}
            names = sorted({*wanted, *others})
            differs += [f"{name} {each}" for each in names if wanted.get(each) != others.get(each)]
        elif wanted != found:
            differs.append(f"{name} is {found}, and the files have {wanted}")
    return Seen(differs=tuple(differs), unseen=tuple(unseen.split()))


def table_look(load: Callable[[Load, View], Plan]) -> Planner:
    """Return the planner that looks for a table, by a load of an item which need not exist.

    So the look needs no right of its own.

    Args:
        load: the planner of loads.
    """

    def look_for(look: Look, view: View) -> Plan:
        key = Key(look.key, ("leeward-doctor",) * len(look.key))
        return (yield from looked(load(Load(look.name, key), view)))

    return look_for


def bucket_look(list_page: Callable[[ListObjects, View], Plan], *, right: str) -> Planner:
    """Return the planner that looks for a bucket, by a page of its list.

    Args:
        list_page: the planner of lists.
        right: as for `ask`.
    """

    def look_for(look: Look, view: View) -> Plan:
        return (yield from looked(list_page(ListObjects(look.name), view), right=right))

    return look_for


def function_look(check: Callable[[str], Any], otherwise: Callable[[Address], Plan]) -> Planner:
    """Return the planner that looks for a function whose address is resolved.

    An address that was looked up shows that the function is there.

    Args:
        check: raises `InvalidRequest` for a name that cannot be a function's.
        otherwise: the plan for an address that is only configured.
    """

    def look_for(look: Look, view: View) -> Plan:
        del view
        check(look.name)
        address: Address = yield Need(FunctionAddress(look.name))
        if address.looked_up:
            return Result.ok(Seen(reached=False))
        return (yield from otherwise(address))

    return look_for


def looked(plan: Plan, *, right: str = "") -> Plan:
    """Run a plan that only reads; the value of its success is a `Seen` with the target's time.

    Args:
        plan: of one request.
        right: as for `ask`.
    """
    seen = NO_RESPONSE
    try:
        step = next(plan)
        while True:
            answer = yield step
            seen = answer if isinstance(answer, Response) else seen
            step = plan.send(answer)
    except StopIteration as end:
        result: Result[Any] = proves_nothing_done(end.value)
    if result.outcome is Outcome.OK:
        return Result.ok(Seen(time=time_of(seen)))
    return unless_forbidden(result, seen, right)


def ask(service: Service, request: Request, view: View, *, right: str = "", **more: Any) -> Plan:
    """Send one request that a thing answers which is there.

    Args:
        service: that is asked.
        request: without a word on who sends it.
        view: of the plan.
        right: the permission that it takes, where calling the thing does not need it: whoever has
            not got it may be able to call all the same.
        more: as for `exchange`.
    """
    request_steps = exchange(service, request, view, effect=False, **more)
    response, refusal = as_look_up((yield from request_steps))
    if refusal is None:
        return Result.ok(Seen(time=time_of(response)))
    return unless_forbidden(refusal, response, right)


def unless_forbidden(refusal: Result[Any], response: Response, right: str) -> Result[Any]:
    """Return a refusal; or that nobody can tell, where it is only the look that is not allowed."""
    forbidden = response.status in (400, 403) and refusal.outcome is Outcome.AUTH
    if right and forbidden and refusal.reason not in (SKEWED, STALE_CREDENTIALS):
        why = f"this identity may not look ({refusal.code}); that takes {right}, calls do not"
        return Result.ok(Seen(None, why, time_of(response)))
    return refusal


def reached(request: Request, why: str) -> Plan:
    """Send a request that anything may answer, without a credential; say `why` that shows no more.

    It must be one that runs nothing, whoever answers.
    """
    response: Response | Failure = yield Send(request, effect=False)
    if isinstance(response, Failure):
        return proves_nothing_done(result_of(response))
    return Result.ok(Seen(None, why, time_of(response)))


def time_of(response: Response) -> float | None:
    """Return the time of the server that answered, in Unix seconds, if it says it."""
    return ahead_of(response.headers.get("date", ""), 0.0)
