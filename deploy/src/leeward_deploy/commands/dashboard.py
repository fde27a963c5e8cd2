"""``leeward export grafana``: the dashboard of what OpenTelemetry gets of leeward."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leeward.cli.global_options import options_of
from leeward_deploy.commands.package import render_files, store
from leeward_deploy.grafana import text_of

NAME = "grafana/leeward.json"


def grafana(
    context: typer.Context,
    *,
    title: Annotated[
        str, typer.Option(metavar="TEXT", help="Of the dashboard, such as the app's name.")
    ] = "leeward",
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="A folder grafana is made in it.")
    ] = Path("infrastructure"),
) -> None:
    """Write a dashboard for Grafana, over metrics of OpenTelemetry that Prometheus keeps.

    Import the file in Grafana, or provision it. CloudWatch's dashboard is in the template for AWS.
    """
    store(out, {NAME: text_of(title)})
    data = {"files": [str(out / NAME)], "notes": [], "commands": []}
    options_of(context).output.show(data, render_files)
