"""``leeward dev``: run an app on this machine while it is written."""

from __future__ import annotations

from typing import Annotated

import typer

from leeward.cli.group import add_command, command_group
from leeward.errors import ConfigError

DEV = command_group()


def dev(
    context: typer.Context,
    app: Annotated[
        str | None,
        typer.Argument(metavar="MODULE:APP", help="Default: as leeward.toml names it."),
    ] = None,
) -> None:
    """Run an app here: functions over HTTP, events, queues, schedules, workflows; and a console."""
    del context, app
    raise ConfigError("leeward dev is being built")


add_command(DEV, "dev", dev, "leeward dev", "leeward dev shop:app --port 8701")
