"""``leeward demo``: the scenario as a table, and what it shows."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import typer

from leeward.cli.demo.table import Row, render_rows
from leeward.cli.global_options import options_of
from leeward.cli.output.console import Printers
from leeward.cli.output.json_view import JsonObject

if TYPE_CHECKING:
    from leeward.cli.demo.scenario import Step


def demo(context: typer.Context) -> None:
    """Show a failover and a lost answer, on this machine alone.

    Two embedded targets in memory; no account, no network, no file.
    """
    from leeward.cli.demo.scenario import play

    scenario = play()
    data = {
        "targets": list(scenario.targets),
        "steps": [_step(number, step) for number, step in enumerate(scenario.steps, 1)],
        "charges": {"leeward": scenario.leeward_charges, "naive_loop": scenario.naive_charges},
    }
    options_of(context).output.show(data, _render)


def _step(number: int, step: Step) -> JsonObject:
    return {
        "step": number,
        "what": step.what,
        "served_by": step.served_by,
        "attempts": [{"target": target, "outcome": outcome} for target, outcome in step.attempts],
        "outcome": step.outcome,
    }


def _render(data: JsonObject, printers: Printers) -> None:
    out = printers.out
    out.text("One shop on two targets:", "bold")
    render_rows(data["targets"], [_row(step) for step in data["steps"]], out)
    out.text("")
    out.text("The naive loop, in full:", "bold")
    out.lines(_source_of_the_loop(), "dim")
    out.text("")
    out.text("Charges really made for one order:", "bold")
    out.text(f"  leeward     {data['charges']['leeward']}", "green")
    out.text(f"  naive loop  {data['charges']['naive_loop']}", "red")
    out.text("")
    out.lines(_LESSON)


def _row(step: JsonObject) -> Row:
    tries = [(each["target"], each["outcome"]) for each in step["attempts"]]
    return Row(f"{step['step']} {step['what']}", tries, step["outcome"])


_LESSON = """\
The card was charged, and only the answer was lost. The loop took that for a
failure and charged again. leeward cannot know either, so it says so, with the
key to look up."""


def _source_of_the_loop() -> str:
    """Return its source as users would write it."""
    from leeward.cli.demo.naive import naive_invoke

    lines = inspect.getsource(naive_invoke).splitlines()
    return "\n".join(line.partition("  # noqa")[0] for line in lines if '"""' not in line)
