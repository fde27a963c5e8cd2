"""``leeward console``: the console over the configured targets, where no app runs."""

from __future__ import annotations

from typing import Annotated

import typer

from leeward.cli.arguments import flag
from leeward.cli.global_options import options_of, without_handlers
from leeward.cli.group import add_command, command_group
from leeward.views import Report
from leeward_dev.feed import Feed
from leeward_dev.server import serve_console
from leeward_dev.sources import Sources

CONSOLE = command_group()


def console(
    context: typer.Context,
    *,
    write: Annotated[
        bool, flag("--write", "Let the console change something: redrive, settle, cancel, send.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", min=0, max=65535, help="Default: 8700, or a free one if that is taken."
        ),
    ] = None,
    opens: Annotated[bool, flag("--open", "Open it in a browser.")] = False,
) -> None:
    """Show targets, queues, dead letters, keys, runs and schedules in a browser.

    It shows only, unless you say --write. It runs no code of yours: pictures of runs come from
    their journal. Only this machine can reach it. Ctrl-C ends it.
    """
    options = options_of(context)
    config = without_handlers(options.resolve())
    feed = Feed()

    def tell(address: str) -> None:
        does = "It changes what you say." if write else "It shows only; --write changes that."
        data, note = {"address": address, "write": write}, f"{does} Ctrl-C ends it."
        options.output.report(Report(data, 0.0, [address], [note]))

    with options.client(config) as client:
        sources = Sources(client, config, feed, can_write=write)
        serve_console(sources, port=port, ready=tell, opens=opens)


add_command(
    CONSOLE, "console", console, "leeward console", "leeward console --write --targets postgres"
)
