"""``leeward doctor``: whether a failover can happen."""

from __future__ import annotations

import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from leeward.cli.doctor.findings import METHODS, CheckState
from leeward.cli.doctor.visit import examine, read_exported
from leeward.cli.global_options import modules_beside, options_of
from leeward.cli.output.console import Printers
from leeward.cli.output.exit_codes import BROKEN
from leeward.cli.output.json_view import JsonObject

ExportSummary: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Compare with what leeward export has written there."),
]


def doctor(context: typer.Context, *, exported: ExportSummary = None) -> None:
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
    data = {
        "ok": not faults,
        "faults": faults,
        "targets": [str(target) for target in config.order],
        "findings": [each._asdict() | {"state": each.state.value} for each in findings],
    }
    options.output.show(data, _render)
    if faults:
        raise typer.Exit(BROKEN.code)


_SHOWN = {"ok": "ok", "note": "note", "fault": "FAULT"}


def _render(data: JsonObject, printers: Printers) -> None:
    rows = [
        (_SHOWN[finding["state"]], finding["target"], finding["check"], _sentence(finding))
        for finding in data["findings"]
    ]
    printers.out.table(("", "target", "check", "found"), rows, ("bold", "cyan"))
    printers.out.text("")
    faults = data["faults"]
    several = len(data["targets"]) > 1
    if faults:
        what = "a failover may not happen" if several else "calls may not work"
        told = f"{faults} fault{'s' if faults > 1 else ''}: {what} as configured"
    elif several:
        told = _tell_failover(data["findings"])
    else:
        told = f"No fault. {data['targets'][0]} is the only target, so nothing can fail over."
    printers.out.text(told, "red" if faults else "green")


def _tell_failover(findings: list[JsonObject]) -> str:
    """Return for what a failover can happen: for everything, if nothing else was found."""
    verbs = {f"fallback of {each}": each for each in METHODS.values()}
    found = {each["check"]: each["state"] for each in findings if each["check"] in verbs}
    able = [verbs[check] for check, state in found.items() if state == CheckState.OK.value]
    alone = [verb for check, verb in verbs.items() if check in found and verb not in able]
    if not alone:
        return "A failover can happen."
    told = f"{', '.join(alone)}: one target each"
    return (
        f"A failover can happen for {', '.join(able)}. {told}."
        if able
        else (f"No fault. No call can fail over; {told}.")
    )


def _sentence(finding: JsonObject) -> str:
    message, remedy = finding["message"], finding["remedy"]
    return f"{message}. To do: {remedy}" if remedy else message
