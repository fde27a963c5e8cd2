"""``leeward version``: what is installed."""

from __future__ import annotations

import platform

import typer

from leeward import __version__
from leeward.cli.global_options import options_of
from leeward.cli.output.console import Printers
from leeward.cli.output.json_view import JsonObject
from leeward.cli.output.output import Output
from leeward.entrypoints import all_entry_points
from leeward.registry import BUILT_IN, GROUP


def version(context: typer.Context) -> None:
    """Show the version, and the installed adapters."""
    show_version(options_of(context).output)


def show_version(output: Output) -> None:
    """Show the version on `output`."""
    output.show(
        {
            "leeward": __version__,
            "python": platform.python_version(),
            "adapters": _adapters(),
        },
        _render,
    )


def _adapters() -> list[str]:
    return sorted({*BUILT_IN, *(point.name for point in all_entry_points(GROUP))})


def _render(data: JsonObject, printers: Printers) -> None:
    printers.out.text(
        f"leeward {data['leeward']} (Python {data['python']}, "
        f"adapters: {', '.join(data['adapters'])})"
    )
