"""What the doctor says, and what it makes of what a target has answered. Nothing here asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from sys import maxsize
from typing import Any, Final

from leeward._operations.arguments import limits_of
from leeward._routing.failover import able_of
from leeward.adapter import Capability, Driver, Limits
from leeward.calls import Look, LookResult, Result
from leeward.calls.looks import BUCKET, BUS, FUNCTION, QUEUE, RESOURCE, TABLE, LookVerb
from leeward.config import Config
from leeward.config.model import check_homes, groups_of, residency_of
from leeward.errors import ConfigError, Outcome
from leeward.records import NamedTuple
from leeward.values import NOTHING

FURTHEST: Final = 30.0
"""Seconds that two clocks may be apart: signatures hold for some minutes, and a clock that is off
by more than this is going on to be."""

ORDER: Final = "order"  # where a finding is not about one target


class CheckState(Enum):
    """How a check has ended."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing, or not to be found out without an effect. It fails nothing."""
    FAULT = "fault"


class Finding(NamedTuple):
    """One line of the doctor's.

    Attributes:
        check: what was looked at, such as ``credentials`` or ``function send-receipt``.
        concerns: the functions, buses and tables that a fault stands in the way of.
    """

    target: str
    check: str
    state: CheckState
    message: str
    remedy: str = ""
    concerns: tuple[str, ...] = ()


class LookReport(NamedTuple):
    """A look, what came of it, and by how many seconds the target's clock is ahead."""

    look: Look
    result: Result[Any]
    offset: float | None = None


KINDS: Final[dict[LookVerb, str]] = {
    FUNCTION: "function",
    QUEUE: "queue",
    BUS: "bus",
    TABLE: "table",
    BUCKET: "bucket",
    RESOURCE: "resource",
}

_PASSED_ON: Final = frozenset({Outcome.OK, Outcome.NOT_FOUND, Outcome.CALLER, Outcome.CONFLICT})
"""Outcomes that only somebody gives who was reached and knows the caller."""


def describe_look(look: Look) -> str:
    """Return how a look is called in a finding."""
    return f"{look.type or KINDS[look.verb]} {look.name}"


def judge(target: str, answers: Sequence[LookReport]) -> list[Finding]:
    """Return what the answers of one target say of it, and of each thing that was looked for."""
    findings = [_credentials(target, answers), _endpoint(target, answers), *_clock(target, answers)]
    return findings + [_thing(target, answer) for answer in answers]


def _credentials(target: str, answers: Sequence[LookReport]) -> Finding:
    refused = [answer for answer in answers if answer.result.outcome is Outcome.AUTH]
    if refused:
        why = describe_result(refused[0].result)
        told = f"refused, or not there, for {_join_names(refused)}: {why}"
        remedy = "give this target credentials that may call it; `leeward targets` shows where they"
        remedy += " come from"
        return Finding(target, "credentials", CheckState.FAULT, told, remedy, _names(refused))
    taken = [answer for answer in answers if answer.result.outcome in _PASSED_ON]
    if taken:
        return Finding(target, "credentials", CheckState.OK, f"found, for {_join_names(taken)}")
    return Finding(target, "credentials", CheckState.NOTE, "nobody was reached who could say")


def _endpoint(target: str, answers: Sequence[LookReport]) -> Finding:
    silent = [answer for answer in answers if _is_silent(answer.result)]
    if silent:
        first = silent[0].result
        remedy = "look at the endpoints in `leeward targets`, the network and a proxy, and at "
        remedy += "whether the service is up"
        if first.outcome in (Outcome.UNUSABLE, Outcome.LOCAL) and first.message:
            remedy = "do what the message says"
        told = f"no good answer to {_join_names(silent)}: {describe_result(first)}"
        return Finding(target, "endpoint", CheckState.FAULT, told, remedy, _names(silent))
    reached = [answer for answer in answers if _is_reachable(answer.result)]
    if reached:
        return Finding(target, "endpoint", CheckState.OK, f"reached, for {_join_names(reached)}")
    return Finding(target, "endpoint", CheckState.NOTE, "nothing there could be asked")


def _clock(target: str, answers: Sequence[LookReport]) -> Iterable[Finding]:
    offsets = [answer.offset for answer in answers if answer.offset is not None]
    if not offsets:
        yield Finding(target, "clock", CheckState.NOTE, "the target did not say its time")
        return
    furthest = max(offsets, key=abs)
    if abs(furthest) <= FURTHEST:
        yield Finding(target, "clock", CheckState.OK, f"within {FURTHEST:g} s of this machine's")
        return
    way = "behind" if furthest > 0 else "ahead of"
    told = f"this machine's clock is {abs(furthest):.0f} s {way} the target's"
    remedy = "set this machine's clock, by NTP: signatures are refused when it is off by minutes"
    yield Finding(target, "clock", CheckState.FAULT, told, remedy)


def _thing(target: str, answered: LookReport) -> Finding:
    look, result, _ = answered
    check = describe_look(look)
    if result.outcome is Outcome.NOT_FOUND:
        return _absent(target, look, result)
    if result.outcome is Outcome.AUTH or _is_silent(result):
        return Finding(target, check, CheckState.NOTE, "not looked at: see above")
    if result.outcome is not Outcome.OK:
        remedy = "let the configured key have the fields of the table's"
        text = describe_result(result)
        if look.verb != TABLE:
            remedy = f"configure the {KINDS[look.verb]} by a name that this target takes"
        text = f"refused as it is configured: {text}"
        return Finding(target, check, CheckState.FAULT, text, remedy, (check,))
    seen = seen_by(result)
    if seen.there is None:
        return Finding(target, check, CheckState.NOTE, f"not known: {seen.why}")
    if seen.why:
        return Finding(target, check, CheckState.NOTE, f"is there; {seen.why}")
    return Finding(target, check, CheckState.OK, "is there")


def _absent(target: str, look: Look, result: Result[Any]) -> Finding:
    kind, check = KINDS[look.verb], describe_look(look)
    if look.verb == QUEUE and not look.is_queue:
        text = "there is no queue for it, so it can be called there, and not queued"
        return Finding(target, check, CheckState.NOTE, text, "make one, if you use enqueue")
    plurals = {BUS: "buses", QUEUE: "functions"}
    section = f"[{plurals.get(look.verb, f'{kind}s')}.{look.name}]"
    text = f"is not there: {describe_result(result)}"
    remedy = f"deploy it there, or name the target's own in names of {section}"
    return Finding(target, check, CheckState.FAULT, text, remedy, (check,))


def seen_by(result: Result[Any]) -> LookResult:
    """Return what a look has seen."""
    value = result.value
    return value if isinstance(value, LookResult) else LookResult(None, "it was not told")


def _is_silent(result: Result[Any]) -> bool:
    return result.outcome not in _PASSED_ON and result.outcome is not Outcome.AUTH


def _is_reachable(result: Result[Any]) -> bool:
    seen = result.value
    return not _is_silent(result) and (not isinstance(seen, LookResult) or seen.reached)


def describe_result(result: Result[Any]) -> str:
    """Return what a target has said: the message of ours, else the code, never its own text."""
    text = result.message or result.code or result.outcome.value
    return f"{text} ({result.code})" if result.message and result.code else text


def _join_names(answers: Iterable[LookReport]) -> str:
    return ", ".join(_names(answers))


def _names(answers: Iterable[LookReport]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(describe_look(answer.look) for answer in answers))


_WHERE = "let the home, or a target of the group, be where [residency] says that it is"

SHOWN = ("payload_bytes", "event_bytes", "item_bytes")  # limits that a program meets most


def serving(
    config: Config, verb: str, name: str, drivers: Mapping[str, Driver] = NOTHING
) -> tuple[str, ...]:
    """Return the targets that may serve a function or bus, in order of preference.

    Raises:
        ConfigError: a group has no target left.
    """
    order = tuple(str(target) for target in config.order)
    group = groups_of(config, order).get((verb, name))
    if group is not None and group.targets != order:
        return group.targets
    able = able_of(drivers.values(), verb)
    return tuple(target for target in order if target in able or target not in drivers)


def capabilities_of(
    config: Config, driver: Driver, drivers: Mapping[str, Driver]
) -> Iterator[Finding]:
    """Return whether a target can do what is configured for it, one finding in all if it can."""
    lacking = [
        (what, capability)
        for what, capability in _list_needs(config, driver.target, drivers)
        if capability not in driver.capabilities
    ]
    if not lacking:
        yield Finding(driver.target, "capabilities", CheckState.OK, "all that is configured for it")
    for what, capability in lacking:
        remedy = driver.missing.get(capability, "")
        remedy = remedy or f"take the target out of the order of {what}, by a group or a home"
        told = f"has no {capability.value}, which {what} needs"
        yield Finding(driver.target, "capabilities", CheckState.FAULT, told, remedy, (what,))


def _list_needs(
    config: Config, target: str, drivers: Mapping[str, Driver]
) -> Iterator[tuple[str, Capability]]:
    for name in config.functions:
        if target in serving(config, "invoke", name, drivers):
            yield f"function {name}", Capability.INVOKE
    for name in config.buses:
        if target in serving(config, "publish", name, drivers):
            yield f"bus {name}", Capability.PUBLISH
    for name, table in config.tables.items():
        if home_of(config, table.home) == target:
            yield f"table {name}", Capability.TABLES
            if len(table.key) > 1:
                yield f"table {name}", Capability.COMPOSITE_KEYS
    for name, bucket in config.buckets.items():
        if home_of(config, bucket.home) == target:
            yield f"bucket {name}", Capability.OBJECTS


def home_of(config: Config, home: str | None) -> str | None:
    """Return the home of a table, given its own; of one target, that is it."""
    target = home or config.data_target
    return str(config.order[0]) if target is None and len(config.order) == 1 else target


def check_each_home(config: Config) -> Iterator[Finding]:
    """Return whether each table and bucket has a home in the order, one where its data may be."""
    order = [str(target) for target in config.order]
    try:
        check_homes(config)
    except ConfigError as error:
        yield Finding(ORDER, "residency", CheckState.FAULT, str(error), _WHERE)
    owned = [("tables", name, table.home, table.residency) for name, table in config.tables.items()]
    owned += [("buckets", name, bucket.home, ()) for name, bucket in config.buckets.items()]
    for section, name, home_, residency in owned:
        home = home_of(config, home_)
        check = f"home of {name}"
        if home in order:
            where = f", in {residency_of(config, home)}" if residency else ""
            yield Finding(ORDER, check, CheckState.OK, f"{home}{where}")
        else:
            text = "there is none" if home is None else f"{home} is not in the order"
            remedy = f"set home in [{section}.{name}] to one of {', '.join(order)}"
            yield Finding(ORDER, check, CheckState.FAULT, text, remedy)


def check_residency(config: Config) -> Iterator[Finding]:
    """Return which targets a residency leaves to each group that has one."""
    order = tuple(str(target) for target in config.order)
    for name, group in config.groups.items():
        if not group.residency:
            continue
        try:
            groups = groups_of(config._replace(groups={name: group}), order)
        except ConfigError as error:
            yield Finding(ORDER, "residency", CheckState.FAULT, str(error), _WHERE)
            continue
        left = next(iter(groups.values())).targets
        where = ", ".join(group.residency)
        yield Finding(
            ORDER, "residency", CheckState.OK, f"group {name}: {', '.join(left)} in {where}"
        )


def check_limits(drivers: Mapping[str, Driver]) -> Iterator[Finding]:
    """Return the limits that hold for the whole order, and whose they are."""
    if not drivers:
        return
    limits = {name: limits_of(driver) for name, driver in drivers.items()}
    smallest = Limits.smallest([*limits.values()])
    texts = []
    for field in SHOWN:
        size = getattr(smallest, field)
        if size == maxsize:
            continue  # no target can do what it limits
        whose = next(name for name, limit in limits.items() if getattr(limit, field) == size)
        texts.append(f"{field} {size:,} (of {whose})")
    yield Finding(ORDER, "limits", CheckState.OK, f"the smallest count: {', '.join(texts)}")


METHODS: Final = {"invoke": "invoke", "enqueue": "enqueue", "publish": "publish_event"}
"""Verbs that go on to another target, by the name of their capability; methods of a client."""


def check_verbs(config: Config, drivers: Mapping[str, Driver]) -> Iterator[Finding]:
    """Return, where targets are not of one kind, which of them each verb can go to."""
    able = {method: able_of(drivers.values(), verb) for verb, method in METHODS.items()}
    if len(config.order) > 1 and any(len(drivers_) < len(drivers) for drivers_ in able.values()):
        for method, targets in able.items():
            yield _fallback(method, targets, targets)


def check_fallbacks(
    config: Config, findings: Sequence[Finding], drivers: Mapping[str, Driver]
) -> Iterator[Finding]:
    """Return whether each function and bus has a second target that would take it."""
    faults = [finding for finding in findings if finding.state is CheckState.FAULT]
    unopened = {fault.target for fault in faults if fault.check == "settings"}
    blocked = {(fault.target, what) for fault in faults for what in fault.concerns}
    things = [("invoke", "function", name) for name in config.functions]
    things += [("publish", "bus", name) for name in config.buses]
    for verb, kind, name in things:
        try:
            targets = serving(config, verb, name, drivers)
        except ConfigError:
            continue  # told as a residency that leaves nothing
        what = f"{kind} {name}"
        able = [
            target for target in targets if target not in unopened and (target, what) not in blocked
        ]
        yield _fallback(what, targets, able)


def _fallback(what: str, targets: Sequence[str], able: Sequence[str]) -> Finding:
    check = f"fallback of {what}"
    if len(targets) == 1:
        return Finding(ORDER, check, CheckState.NOTE, f"none: only {targets[0]} serves it")
    if len(able) > 1:
        return Finding(ORDER, check, CheckState.OK, ", then ".join(able))
    text = f"only {able[0]} would take it" if able else "no target would take it"
    return Finding(ORDER, check, CheckState.FAULT, text, "mend what is told of the other targets")
