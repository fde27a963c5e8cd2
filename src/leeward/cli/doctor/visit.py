"""Asking the targets of an order: each is opened by itself, and looked at without any effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from leeward.adapter import Capability, Driver
from leeward.calls import Look, LookResult, Result
from leeward.calls.looks import BUCKET, BUS, FUNCTION, QUEUE, TABLE
from leeward.cli.doctor import exported, order
from leeward.cli.doctor.findings import ORDER, Answered, Finding, State, judged
from leeward.cli.doctor.order import home_of, serving
from leeward.config import Config
from leeward.errors import ConfigError, LeewardError, Outcome
from leeward.opening import open_order
from leeward.packaging.recipe import Expected

SECONDS: Final = 10.0
"""For one look. It may have to fetch a credential first."""

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
    """Look at everything that a failover needs; return one finding for each check.

    Args:
        config: with the order.
        env: the variables that adapters may read.
        now: gives Unix seconds.
        seconds: for each look.
        expected: what exported files say that is there.
    """
    findings: list[Finding] = []
    drivers: dict[str, Driver] = {}
    try:
        for target in config.order:
            alone = config._replace(order=(target,))
            try:
                drivers[str(target)] = open_order(alone, env)[0]
            except LeewardError as error:
                findings.append(_unopened(str(target), error))
        with ThreadPoolExecutor(max(1, len(drivers))) as threads:
            visits = [
                threads.submit(_visit, config, driver, now, seconds) for driver in drivers.values()
            ]
            visits += [
                threads.submit(_compare, config, driver, now, seconds, expected)
                for driver in drivers.values()
            ]
            for each in visits:
                findings += each.result()
    finally:
        for driver in drivers.values():
            driver.close()
    findings += order.limits(drivers)
    findings += order.homes(config)
    findings += order.residency(config)
    findings += order.fallbacks(config, findings)
    if expected:
        findings += exported.strangers(expected, config)
    if not (config.functions or config.buses or config.tables or config.buckets):
        findings.append(_nothing_named())
    return findings


def _unopened(target: str, error: LeewardError) -> Finding:
    return Finding(
        target, "settings", State.FAULT, str(error), "correct it; nothing goes there until then"
    )


def _nothing_named() -> Finding:
    told = "no function, bus, table or bucket is configured by name, so none was looked for"
    remedy = "name them in [functions.<name>], [buses.<name>] and so on"
    return Finding(ORDER, "names", State.NOTE, told, remedy)


def _visit(
    config: Config, driver: Driver, now: Callable[[], float], seconds: float
) -> list[Finding]:
    try:
        looks = list(_looks(config, driver))
        found = list(order.capabilities_of(config, driver))
    except ConfigError:
        looks, found = [], []  # told once, of the order
    nameless = not looks
    if nameless and Capability.TABLES in driver.capabilities:
        looks = [ANYTHING]
    answers = [ask(driver, look, now, seconds) for look in looks]
    told = judged(driver.target, answers) if answers else []
    if nameless and told:
        told = told[:-1]  # not of what nobody has named
    settings = Finding(driver.target, "settings", State.OK, "the target could be opened")
    return [settings, *told, *found]


def _compare(
    config: Config,
    driver: Driver,
    now: Callable[[], float],
    seconds: float,
    expected: Sequence[Expected],
) -> list[Finding]:
    """Return what is there of what the files say that a target has."""
    looks = exported.looks_for(expected, config, driver.target)
    return [exported.compared(driver.target, ask(driver, look, now, seconds)) for look in looks]


def _looks(config: Config, driver: Driver) -> Iterator[Look]:
    """Return what is configured for a target, and what it is able to serve at all."""
    target = driver.target
    functions = [name for name in config.functions if target in serving(config, "invoke", name)]
    buses = [name for name in config.buses if target in serving(config, "publish", name)]
    named = {
        Capability.INVOKE: [
            Look(each, FUNCTION) for each in functions if not config.functions[each].queue
        ],
        Capability.ENQUEUE: [
            Look(each, QUEUE, is_queue=bool(config.functions[each].queue)) for each in functions
        ],
        Capability.PUBLISH: [Look(each, BUS) for each in buses],
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


def ask(driver: Driver, look: Look, now: Callable[[], float], seconds: float) -> Answered:
    """Look for one thing, and at how the target's clock differs; `now` gives Unix seconds."""
    began = now()
    try:
        result = driver.look(look, seconds)
    except LeewardError as error:
        result = Result(Outcome.CALLER, message=str(error))
    except Exception as error:  # noqa: BLE001 - an adapter's own mistake is a finding, too
        result = Result(Outcome.AMBIGUOUS, code=type(error).__name__, cause=error)
    time = result.value.time if isinstance(result.value, LookResult) else None
    return Answered(look, result, None if time is None else _offset(time, began, now()))


def _offset(time: float, began: float, ended: float) -> float:
    """Return how far a time is outside the seconds in which it was told; it has whole seconds."""
    if time < began - 1:
        return time - began
    return time - ended if time > ended + 1 else 0.0
