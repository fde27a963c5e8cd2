"""Run the demo over the targets that are named, such as ``aws,local``."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from leeward import Client, ConfigError
from tests.demo.stage import clouds, config_of
from tests.demo.story import play


def main(order: str) -> int:
    """Show the story as a table; 2 if `order` names what cannot be started."""
    console = Console()
    try:
        with console.status("starting servers"), clouds(order.split(",")) as started:
            drivers = [cloud.driver for cloud in started]
            home = drivers[0].target
            table = Table("what", "served by", "attempts", "outcome", box=None, pad_edge=False)
            with Client(drivers, config=config_of(home)) as client:
                for step in play(client, started):
                    table.add_row(*step)
    except ConfigError as error:
        console.print(str(error), style="red")
        return 2
    console.print(f"One shop on {order}; its table lives on {home}.", style="bold")
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
