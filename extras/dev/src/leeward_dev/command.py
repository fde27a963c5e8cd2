"""``leeward dev``: run an app on this machine while it is written."""

from __future__ import annotations

import os
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Final

import typer

from leeward.cli.arguments import argument, flag
from leeward.cli.global_options import named_app, options_of
from leeward.cli.group import add_command, command_group
from leeward.cli.output.exit_codes import INTERRUPTED
from leeward.config.load import DEFAULT_FILE
from leeward.errors import ConfigError
from leeward_dev.plan import Plan, for_development
from leeward_dev.server import open_in_browser
from leeward_dev.supervisor import Supervisor
from leeward_dev.terminal import Terminal

DRAIN: Final = 5
"""Seconds that calls and deliveries have to end in, before the app is loaded again."""

DEV = command_group()


def dev(
    context: typer.Context,
    app: Annotated[str | None, argument("Default: as leeward.toml names it.", "MODULE:APP")] = None,
    *,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", min=0, max=65535, help="Default: 8700, or a free one if that is taken."
        ),
    ] = None,
    reload: Annotated[
        bool, flag("--reload/--no-reload", "Load the app again after a change.")
    ] = True,
    watch: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER", exists=True, file_okay=False, help="Watch this, too; repeatable."
        ),
    ] = None,
    opens: Annotated[bool, flag("--open", "Open the console in a browser.")] = False,
    fresh: Annotated[
        bool, flag("--fresh", "Begin with empty embedded targets; what you have is kept.")
    ] = False,
    drain: Annotated[
        int,
        typer.Option(
            metavar="SECONDS",
            min=1,
            max=600,
            help="For calls and deliveries to end before a reload.",
        ),
    ] = DRAIN,
) -> None:
    """Run an app here: functions over HTTP, events, queues, schedules, workflows; and a console.

    Its files are watched, and a change loads it again. Only this machine can reach it. The app runs
    at the embedded target local, or at the target that --targets names, such as postgres. Ctrl-C
    ends it; a second one ends it at once.
    """
    if os.name != "posix":
        raise ConfigError("leeward dev needs Linux or macOS; on Windows, run it in WSL")
    options = options_of(context)
    config = None if options.config is None else str(options.config)
    # What is wrong now is said now; what goes wrong later is shown until it is mended.
    settings = for_development(options.resolve(), options.targets, trust_env=options.trust_env)
    named_app(app, settings, options.environment(), "dev")
    terminal = Terminal(as_json=options.output.is_for_programs)
    with tempfile.TemporaryDirectory(prefix="leeward-dev-") if fresh else nullcontext() as folder:
        plan = Plan(
            app=app,
            targets=options.targets,
            config=config,
            trust_env=options.trust_env,
            as_json=options.output.is_for_programs,
            texts=options.output.tracebacks,
            drain=drain,
            fresh=folder,
        )
        file = config or options.environment().get("LEEWARD_CONFIG") or DEFAULT_FILE
        folders = [Path(file).absolute().parent, *(watch or ())] if reload else []
        supervisor = Supervisor(plan, port, folders, terminal)
        address = f"http://localhost:{supervisor.port}"
        terminal.say(
            f"functions at {address}/invoke/NAME", address=address, console=supervisor.console
        )
        terminal.say(f"console at {supervisor.console}")
        with open_in_browser(supervisor.console) if opens else nullcontext():
            is_whole = supervisor.run()
        if not is_whole:
            raise typer.Exit(INTERRUPTED.code)


add_command(
    DEV,
    "dev",
    dev,
    "leeward dev",
    "leeward dev shop:app --port 8701 --open",
    "leeward dev --targets postgres --no-reload",
    "leeward dev --fresh",
)
