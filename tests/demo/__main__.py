"""``make demo``: the program of README everywhere, and a failover in memory.

``make demo TARGET=aws,azure,google``: a failover over servers on this machine.
"""

from __future__ import annotations

import sys

from leeward import Client, ConfigError
from leeward.cli.app import app
from leeward.cli.commands.demo import show_rows
from leeward.cli.output.console import Printers, printer_for, render_report
from leeward.views import Report
from tests.demo.flagship import CLOUDS, run_everywhere
from tests.demo.stage import clouds, config_of
from tests.demo.story import play


def main(order: str | None) -> int:
    """Show the story over `order`, or, without one, everything; 2 if `order` cannot be started."""
    out = printer_for(sys.stdout)
    if order is None:
        _tell(f"starting {', '.join(CLOUDS)}, one after the other")
        ran = list(run_everywhere())
        out.text("main.py of README, unchanged; the variable chooses the target:", "bold")
        out.table(("CLOUD_PROVIDER", "prints"), ran, ("cyan",))
        out.text("")
        app(["demo"], standalone_mode=False)
        return 0
    try:
        _tell(f"starting {order.replace(',', ', ')}")
        with clouds(order.split(",")) as started:
            drivers = [cloud.driver for cloud in started]
            with Client(drivers, config=config_of(drivers[0].target)) as client:
                rows = list(play(client, started))
            names = [driver.target for driver in drivers]
    except ConfigError as error:
        _tell(str(error))
        return 2
    out.text("One shop on servers of this machine; its table lives on A:", "bold")
    report = Report({}, parts=show_rows(names, rows))
    render_report(report, Printers(out, printer_for(sys.stderr)))
    return 0


def _tell(text: str) -> None:
    """Tell who waits what is going on; the results alone go to the standard output."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else None))
