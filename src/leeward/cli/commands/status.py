"""``leeward status``: how everything is now, one sentence each, what is wrong first."""

from __future__ import annotations

import sys
import time
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated

import typer

from leeward.cli.arguments import option, seconds
from leeward.cli.global_options import (
    CORRECT_IT,
    GlobalOptions,
    modules_beside,
    named_app,
    open_each,
    options_of,
    without_handlers,
)
from leeward.cli.output.exit_codes import BROKEN
from leeward.config import Config
from leeward.errors import ConfigError
from leeward.status import SECONDS, Sources, read_status
from leeward.status.facts import Fact, Level, Subject, report_of, sort_facts, unknown_fact
from leeward.views import Report

if TYPE_CHECKING:
    from leeward.app.app import App


def status(
    context: typer.Context,
    *,
    timeout: Annotated[
        float, option("For each target.", "SECONDS", "--timeout", parser=seconds)
    ] = SECONDS,
) -> Report:
    """Show how everything is: targets, queues, schedules, workflow runs and unknown calls.

    What is wrong comes first. All targets are asked at the same time, and nothing is changed. The
    app is imported, for its schedules; no handler runs. Circuits are each process's own: those of
    others are known as far as they share a `snapshot` table. Exit code 9: a person has to act.
    """
    options = options_of(context)
    config = options.resolve()
    with open_each(without_handlers(config), options.environment()) as (drivers, flaws):
        facts = [
            Fact(Subject.TARGET, name, "", Level.WRONG, f"cannot be opened: {flaw}", CORRECT_IT)
            for name, flaw in flaws.items()
        ]
        app = _app(options, config, facts)
        facts += read_status(Sources(config, drivers, app=app), time.time, timeout)
    report = report_of(sort_facts(facts))
    return report if report.data["ok"] else report._replace(exit_code=BROKEN.code)


def _app(options: GlobalOptions, config: Config, facts: list[Fact]) -> App | None:
    """Return the app that leeward.toml names, if it names one; add a fact if it cannot be imported.

    A failure of the app hides nothing else.
    """
    try:
        named = named_app(None, config, options.environment(), "status")
    except ConfigError:  # there is none
        return None
    try:
        with redirect_stdout(sys.stderr), modules_beside(config):
            return named.load()
    except ConfigError as error:
        facts.append(unknown_fact(Subject.SCHEDULE, "order", "", str(error)))
        return None
