"""``leeward doctor``: whether a failover can happen.

Each target of the order is opened by itself, and looked at without any effect.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer

from leeward.adapter import Capability, Driver
from leeward.adapter.looking import EXPECTED, EXPECTED_FILE, Expected
from leeward.calls import Look, LookResult, Result
from leeward.calls.looks import BUCKET, BUS, FUNCTION, QUEUE, RESOURCE, TABLE
from leeward.cli.arguments import option
from leeward.cli.findings import (
    KINDS,
    METHODS,
    ORDER,
    CheckState,
    Finding,
    LookReport,
    capabilities_of,
    check_each_home,
    check_fallbacks,
    check_limits,
    check_residency,
    check_verbs,
    describe_look,
    describe_result,
    home_of,
    judge,
    seen_by,
    serving,
)
from leeward.cli.global_options import CORRECT_IT, modules_beside, open_each, options_of
from leeward.cli.output.exit_codes import BROKEN
from leeward.config import Config
from leeward.errors import ConfigError, LeewardError, Outcome
from leeward.json_text import Undecodable, decode
from leeward.views import Column, Format, Json, Report, Table, count

ExportSummary: TypeAlias = Annotated[
    Path | None, option("Compare with what leeward export has written there.", "FOLDER")
]


def _sentence(finding: Json) -> str:
    message, remedy = finding["message"], finding["remedy"]
    return f"{message}. To do: {remedy}" if remedy else message


_FINDINGS: Final = (
    Column("State", "state", Format.STATE),
    Column("Target", "target", is_name=True),
    Column("Check", "check"),
    Column("Found", _sentence),
)


def doctor(context: typer.Context, *, exported: ExportSummary = None) -> Report:
    """Check whether a failover can happen, before it has to.

    It opens every target of the order, and checks credentials, functions, buses, tables and clock.
    It calls, publishes, stores and changes nothing.
    """
    options = options_of(context)
    config = options.resolve()
    with redirect_stdout(sys.stderr), modules_beside(config):
        expected = () if exported is None else read_exported(exported)
        findings = examine(config, options.environment(), time.time, expected=expected)
    faults = sum(finding.state is CheckState.FAULT for finding in findings)
    targets = [str(target) for target in config.order]
    rows = [finding._asdict() | {"state": finding.state.value} for finding in findings]
    data = {"ok": not faults, "faults": faults, "targets": targets, "findings": rows}
    sentence = _tell_end(rows, targets, faults)
    code = BROKEN.code if faults else 0
    return Report(data, 0.0, [Table(_FINDINGS, rows), sentence], exit_code=code)


def _tell_end(findings: list[Json], targets: list[str], faults: int) -> str:
    if faults:
        what = "a failover may not happen" if len(targets) > 1 else "calls may not work"
        return f"{count(faults, 'fault')}: {what} as configured"
    if len(targets) > 1:
        return _tell_failover(findings)
    return f"No fault. {targets[0]} is the only target, so nothing can fail over."


def _tell_failover(findings: list[Json]) -> str:
    """Return for what a failover can happen: for everything, if nothing else was found."""
    verbs = {f"fallback of {verb}": verb for verb in METHODS.values()}
    states = {each["check"]: each["state"] for each in findings if each["check"] in verbs}
    able = [verbs[check] for check, state in states.items() if state == CheckState.OK.value]
    alone = [verb for check, verb in verbs.items() if check in states and verb not in able]
    if not alone:
        return "A failover can happen."
    sentence = f"{', '.join(alone)}: one target each"
    return (
        f"A failover can happen for {', '.join(able)}. {sentence}."
        if able
        else (f"No fault. No call can fail over; {sentence}.")
    )


VERBS: Final = {name: verb for verb, name in KINDS.items()}

REMEDY: Final = "apply the exported files, or run leeward export again and apply those"


def read_exported(folder: Path) -> list[Expected]:
    """Return what the files below a folder say that is there, each once."""
    things = [thing for file in sorted(folder.rglob(EXPECTED_FILE)) for thing in _in_file(file)]
    if not things:
        raise ConfigError(
            f"{folder} has no file that leeward export has written; name its --out folder"
        )
    return [thing for place, thing in enumerate(things) if thing not in things[:place]]


def _in_file(file: Path) -> Iterator[Expected]:
    try:
        document: Any = decode(file.read_text(encoding="utf-8"))
        for fields in document[EXPECTED]:
            expected = Expected(**fields)
            if expected.kind not in VERBS:
                raise ConfigError(f"{file} names a {expected.kind!r}; run leeward export again")
            yield expected
    except (OSError, UnicodeDecodeError, Undecodable, KeyError, TypeError) as error:
        raise ConfigError(
            f"{file} cannot be read as leeward export has written it; run that again"
        ) from error


def looks_for(expected: Sequence[Expected], config: Config, target: str) -> list[Look]:
    """Return what is to be looked for at a target."""
    return [
        Look(thing.name, VERBS[thing.kind], _key(thing, config), type=thing.type, has=thing.has)
        for thing in expected
        if thing.target == target
    ]


def _key(expected: Expected, config: Config) -> tuple[str, ...]:
    table = config.tables.get(expected.name) if expected.kind == "table" else None
    return ("id",) if table is None else table.key


def compare(target: str, answered: LookReport) -> Finding:
    """Return what an answer says of something that a file has."""
    check, result = f"exported {describe_look(answered.look)}", answered.result
    if result.outcome is Outcome.OK:
        seen = seen_by(result)
        if seen.there is None:
            return Finding(target, check, CheckState.NOTE, f"not known: {seen.why}")
        if answered.look.verb != RESOURCE:
            text = "is there; how it is set up was not compared"
            return Finding(target, check, CheckState.OK, text)
        rest = f"; not looked at: {', '.join(seen.unseen)}" if seen.unseen else ""
        if seen.differs:
            text = f"is there, and differs: {'; '.join(seen.differs)}{rest}"
            return Finding(target, check, CheckState.FAULT, text, REMEDY)
        return Finding(target, check, CheckState.OK, f"is as the files have it{rest}")
    if result.outcome is Outcome.NOT_FOUND:
        return Finding(
            target, check, CheckState.FAULT, f"is not there: {describe_result(result)}", REMEDY
        )
    return Finding(target, check, CheckState.NOTE, f"not known: {describe_result(result)}")


def strangers(expected: Sequence[Expected], config: Config) -> Iterator[Finding]:
    """Return what the files and ``leeward.toml`` do not have in common."""
    order = [str(target) for target in config.order]
    for target in dict.fromkeys(thing.target for thing in expected):
        if target not in order:
            text = f"the files are for it, and the order is {', '.join(order)}"
            remedy = "name it in the order, or run leeward export again"
            yield Finding(target, "exported target", CheckState.FAULT, text, remedy)
    exported = {(thing.kind, thing.name) for thing in expected}
    targets = {thing.target for thing in expected}
    named_there = [("bus", name) for name in config.buses]
    named_there += [
        (kind, name)
        for kind, section in (("table", config.tables), ("bucket", config.buckets))
        for name, fact in section.items()
        if home_of(config, fact.home) in targets
    ]
    for kind, name in named_there:
        if (kind, name) not in exported:
            text = "leeward.toml names it, and no exported file has it"
            yield Finding(ORDER, f"exported {kind} {name}", CheckState.FAULT, text, REMEDY)


SECONDS: Final = 10.0  # for one look. It may have to fetch a credential first.

ANYTHING: Final = Look("leeward-doctor", TABLE)
"""What is looked for where nothing is configured: that it is not there is an answer, too."""


def examine(
    config: Config,
    env: Mapping[str, str],
    now: Callable[[], float],
    seconds: float = SECONDS,
    *,
    expected: Sequence[Expected] = (),
) -> list[Finding]:
    """Look at everything that a failover needs; return one finding for each check."""
    look = partial(ask, now=now, seconds=seconds)
    with open_each(config, env) as (drivers, flaws):
        findings = [
            Finding(name, "settings", CheckState.FAULT, str(flaw), CORRECT_IT)
            for name, flaw in flaws.items()
        ]
        with ThreadPoolExecutor(max(1, len(drivers))) as threads:
            visits = [
                threads.submit(_visit, config, driver, drivers, expected, look)
                for driver in drivers.values()
            ]
            for visit in visits:
                findings += visit.result()
    findings += check_limits(drivers)
    findings += check_each_home(config)
    findings += check_residency(config)
    findings += check_verbs(config, drivers)
    findings += check_fallbacks(config, findings, drivers)
    if expected:
        findings += strangers(expected, config)
    if not (config.functions or config.buses or config.tables or config.buckets):
        text = "no function, bus, table or bucket is configured by name, so none was looked for"
        remedy = "name them in [functions.<name>], [buses.<name>] and so on"
        findings.append(Finding(ORDER, "names", CheckState.NOTE, text, remedy))
    return findings


def _visit(
    config: Config,
    driver: Driver,
    drivers: Mapping[str, Driver],
    expected: Sequence[Expected],
    look: Callable[[Driver, Look], LookReport],
) -> list[Finding]:
    """Return what one target says of what is configured for it, and of what files say it has."""
    try:
        looks = list(_looks(config, driver, drivers))
        findings_ = list(capabilities_of(config, driver, drivers))
    except ConfigError:
        looks, findings_ = [], []  # told once, of the order
    nameless = not looks
    if nameless and Capability.TABLES in driver.capabilities:
        looks = [ANYTHING]
    answers = [look(driver, wanted) for wanted in looks]
    facts_ = judge(driver.target, answers) if answers else []
    if nameless and facts_:
        facts_ = facts_[:-1]  # not of what nobody has named
    settings = Finding(driver.target, "settings", CheckState.OK, "the target could be opened")
    compared = [
        compare(driver.target, look(driver, wanted))
        for wanted in looks_for(expected, config, driver.target)
    ]
    return [settings, *facts_, *findings_, *compared]


def _looks(config: Config, driver: Driver, drivers: Mapping[str, Driver]) -> Iterator[Look]:
    """Return what is configured for a target, and what it is able to serve at all."""
    target = driver.target

    def names_at_target(verb: str, names: Iterable[str]) -> list[str]:
        return [name for name in names if target in serving(config, verb, name, drivers)]

    named = {
        Capability.INVOKE: [
            Look(function, FUNCTION)
            for function in names_at_target("invoke", config.functions)
            if not config.functions[function].queue
        ],
        Capability.ENQUEUE: [
            Look(function, QUEUE, is_queue=bool(config.functions[function].queue))
            for function in names_at_target("enqueue", config.functions)
        ],
        Capability.PUBLISH: [Look(bus, BUS) for bus in names_at_target("publish", config.buses)],
        Capability.TABLES: [
            Look(name, TABLE, table.key)
            for name, table in config.tables.items()
            if home_of(config, table.home) == target
        ],
        Capability.OBJECTS: [
            Look(name, BUCKET)
            for name, bucket in config.buckets.items()
            if home_of(config, bucket.home) == target
        ],
    }
    for capability, looks in named.items():
        if capability in driver.capabilities:
            yield from looks


def ask(driver: Driver, look: Look, now: Callable[[], float], seconds: float) -> LookReport:
    """Look for one thing, and at how the target's clock differs; `now` gives Unix seconds."""
    began = now()
    try:
        result = driver.look(look, seconds)
    except LeewardError as error:  # a setting that is wrong keeps the target from being asked
        outcome = Outcome.LOCAL if isinstance(error, ConfigError) else Outcome.CALLER
        result = Result(outcome, message=str(error))
    except Exception as error:  # noqa: BLE001 - an adapter's own mistake is a finding, too
        result = Result(Outcome.AMBIGUOUS, code=type(error).__name__, cause=error)
    time = result.value.time if isinstance(result.value, LookResult) else None
    return LookReport(look, result, None if time is None else _offset(time, began, now()))


def _offset(time: float, began: float, ended: float) -> float:
    """Return how far a time is outside the seconds of its request; it has whole seconds."""
    if time < began - 1:
        return time - began
    return time - ended if time > ended + 1 else 0.0
