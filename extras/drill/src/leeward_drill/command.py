"""``leeward drill``: an outage on purpose, at the router's own side of the wire."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from leeward._operations.arguments import check_effect
from leeward.cli.arguments import json_argument, seconds
from leeward.cli.findings import serving
from leeward.cli.global_options import GlobalOptions, modules_beside, options_of
from leeward.cli.group import add_command, command_group
from leeward.cli.output.console import Printers
from leeward.cli.output.exit_codes import BROKEN
from leeward.cli.output.json_view import JsonObject
from leeward.clock import SystemClock
from leeward.config import Config, FunctionConfig
from leeward.config.model import parse_order
from leeward.entropy import random_unit
from leeward.errors import ConfigError
from leeward.opening import target_config
from leeward.registry import open_target
from leeward.values import Effect
from leeward_drill.faults import parse_fault
from leeward_drill.page import draw, page, seconds_in_words
from leeward_drill.record import DrillRecord, Plan
from leeward_drill.traffic import make_random, make_targets, play, progress, run_virtually
from leeward_drill.verdict import DrillVerdict, judge

USUAL_FAULT: Final = "blackout@10s-30s"
"""What happens to the first target if nothing else is said."""

RETURN_SECONDS: Final = 60.0
"""After the last fault, for the way back: holds, probes and the ramp."""

MOST_SECONDS: Final = 24 * 3600.0
FASTEST: Final = 1000.0
"""Calls a second."""

SIMULATED: Final = "local:a,local:b,local:c"
"""The order of a simulated drill where fewer than two targets are configured."""


Function = Annotated[
    str, typer.Argument(metavar="FUNCTION", help="Logical name of the function to call.")
]
Payload = Annotated[
    str | None, typer.Argument(metavar="PAYLOAD", help="JSON, @file, or - for the standard input.")
]
Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="FAULT",
        help="TARGET:KIND@FROM-TO in seconds; KIND is blackout, refuse, throttle, error, "
        "lose_answer, or slow with a factor; a share as 50%. May be given several times. "
        f"Default: the first target, {USUAL_FAULT}.",
    ),
]
Rate = Annotated[float, typer.Option(metavar="NUMBER", help="Calls a second.")]
Duration = Annotated[
    float | None,
    typer.Option(
        "--seconds",
        parser=seconds,
        metavar="SECONDS",
        help="How long to call. Default: 60 s more than the faults take.",
    ),
]
EffectOption = Annotated[
    str | None,
    typer.Option("--effect", metavar="EFFECT", help="As for invoke. Default: as configured."),
]
Timeout = Annotated[
    float, typer.Option("--timeout", parser=seconds, metavar="SECONDS", help="Of each call.")
]
Simulate = Annotated[
    bool,
    typer.Option("--simulate", help="On simulated targets in virtual time; nothing is called."),
]
Report = Annotated[Path, typer.Option("--report", metavar="FILE", help="Where the page goes.")]


def drill(
    context: typer.Context,
    function: Function = "",
    payload: Payload = None,
    *,
    fault: Faults = None,
    rate: Rate = 20.0,
    duration: Duration = None,
    effect: EffectOption = None,
    timeout: Timeout = 10.0,
    simulate: Simulate = False,
    report: Report = Path("drill.html"),
) -> None:
    """Call a function while targets fail on purpose, and report the result.

    The command makes the faults itself, between the router and the targets, so nothing happens to a
    cloud. But it really calls the function: choose one that may be called often, or --simulate.
    """
    options = options_of(context)
    config = _config(options, simulate=simulate)
    plan = _plan(
        config,
        function=function,
        faults=fault or [],
        rate=rate,
        duration=duration,
        effect=effect,
        simulate=simulate,
    )
    data = json_argument(payload, "PAYLOAD")
    _check_report(report)
    with _decisions_in_the_report_alone():
        record = _play(options, config, plan, data, timeout)
    verdict = judge(plan, record)
    report.write_text(page(plan, record, verdict, draw(plan, record)), encoding="utf-8")
    options.output.show(_json(verdict, report), _render)
    if verdict.broken:
        raise typer.Exit(BROKEN.code)


def _check_report(file: Path) -> None:
    """Check that the page can be written, before anything is called.

    Raises:
        ConfigError: it cannot.
    """
    try:
        with file.open("ab"):
            pass
    except OSError as error:
        raise ConfigError(
            f"--report {file} cannot be written ({error.strerror}); name another file"
        ) from error


@contextmanager
def _decisions_in_the_report_alone() -> Iterator[None]:
    """Keep the router's warnings off the terminal: all that it decides is in the report."""
    logger = logging.getLogger("leeward.routing")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _plan(
    config: Config,
    *,
    function: str,
    faults: Sequence[str],
    rate: float,
    duration: float | None,
    effect: str | None,
    simulate: bool,
) -> Plan:
    if not function and not simulate:
        raise ConfigError(
            "a drill needs the name of a function that may be called: leeward drill FUNCTION; "
            "or --simulate, which calls none"
        )
    order = tuple(str(target) for target in config.order)
    configured = config.functions.get(function, FunctionConfig())
    chosen = check_effect(effect) or (
        Effect.IDEMPOTENT if simulate else configured.effect or Effect.UNSAFE
    )
    read = tuple(parse_fault(fault, order) for fault in faults or [f"{order[0]}:{USUAL_FAULT}"])
    length = duration or max(each.end for each in read) + RETURN_SECONDS
    _check(length, rate)
    able = serving(config, "invoke", function)
    stays = chosen is Effect.KEYED and not configured.shared_dedup
    return Plan(
        order,
        function or "simulated",
        chosen,
        rate,
        length,
        read,
        able[:1] if stays else able,
        bool(configured.shared_dedup),
        simulate,
    )


def _config(options: GlobalOptions, *, simulate: bool) -> Config:
    # Other processes are not to learn of what has only been made up.
    config = options.resolve()._replace(snapshot=None)
    if not simulate:
        return config
    order = config.order if len(config.order) > 1 else parse_order(SIMULATED, "--simulate")
    # Groups, weights and the way back apply there, too; health checks have a thread of their own.
    return config._replace(order=order, health_checks=None)


def _check(length: float, rate: float) -> None:
    if not 0 < length <= MOST_SECONDS:
        raise ConfigError(f"--seconds must be more than 0 and at most {MOST_SECONDS:,.0f}")
    if not 0 < rate <= FASTEST:
        raise ConfigError(f"--rate must be more than 0 and at most {FASTEST:,.0f} calls a second")


def _play(
    options: GlobalOptions, config: Config, plan: Plan, payload: Any, timeout: float
) -> DrillRecord:
    if plan.simulated:
        random = make_random("faults").random
        drivers = make_targets(plan.order)
        return run_virtually(
            lambda clock: play(plan, drivers, config, clock, random, timeout=timeout)
        )
    with redirect_stdout(sys.stderr):
        with modules_beside(config):
            opened = [
                open_target(target_config(target, config, options.environment()))
                for target in config.order
            ]
        with progress(plan, sys.stderr, quiet=options.output.is_for_programs) as look:
            return asyncio.run(
                play(
                    plan,
                    opened,
                    config,
                    SystemClock(),
                    random_unit,
                    payload=payload,
                    timeout=timeout,
                    look=look,
                )
            )


def _json(verdict: DrillVerdict, report: Path) -> JsonObject:
    told = verdict._asdict()
    faults = [each._asdict() | {"fault": str(each.fault)} for each in told.pop("impacts")]
    return {"ok": not verdict.broken, **told, "faults": faults, "report": str(report)}


def _render(data: JsonObject, printers: Printers) -> None:
    out = printers.out
    shown = ("calls", "answered", "lost", "doubled", "unknown", "repeated", "all_faulty")
    out.pairs([(name.replace("_", " "), f"{data[name]:,}") for name in shown])
    out.text("")
    rows = [
        (
            fault["fault"],
            seconds_in_words(fault["detected"], "no circuit opened"),
            seconds_in_words(fault["returned"], "not seen"),
        )
        for fault in data["faults"]
    ]
    out.table(("fault", "detected after", "back after its end"), rows, ("cyan",))
    out.text("")
    for each in data["broken"]:
        out.text(f"Broken: {each}.", "red")
    if not data["broken"]:
        out.text("Every promise was kept.", "green")
    out.text(f"Report: {data['report']}")


DRILL = command_group()
add_command(
    DRILL,
    "drill",
    drill,
    "leeward drill --simulate",
    "leeward drill stock --effect read_only",
    """leeward drill stock '{"sku": "7"}' --fault "local:a:slow x4@2s-9s" --rate 50""",
)
