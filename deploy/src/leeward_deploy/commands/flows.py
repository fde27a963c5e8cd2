"""``leeward workflow export``: a workflow for a cloud's own engine. Nothing is deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leeward.cli.global_options import options_of
from leeward.cli.output.console import Printers
from leeward.cli.output.json_view import JsonObject
from leeward_deploy.commands.files import store
from leeward_deploy.flows import exporter_of


def export(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="WORKFLOW", help="Its name.")],
    *,
    engine: Annotated[
        str, typer.Option(metavar="PROVIDER", help="The engine's provider, as in CLOUD_PROVIDER.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Default: the working directory.")
    ] = Path(),
) -> None:
    """Write a workflow for a cloud's own engine, and the command that deploys it.

    It deploys nothing.
    """
    options = options_of(context)
    definition = options.workflow(name)
    functions = options.resolve().functions
    own = {each: found.names[engine] for each, found in functions.items() if engine in found.names}
    marks = {each for each, found in functions.items() if found.marks}
    made = exporter_of(engine)(definition, own, marks)
    store(out, made.files)
    files = [str(out / path) for path in made.files]
    data = {"workflow": name, "engine": engine, "digest": definition.digest, "files": files}
    options.output.show({**data, "command": made.command}, _render_export)


def _render_export(data: JsonObject, printers: Printers) -> None:
    for file in data["files"]:
        printers.out.text(file)
    printers.err.text(f"Not deployed; do it with: {data['command']}")
