"""``leeward version``: what is installed."""

from __future__ import annotations

import platform

import typer

from leeward import __version__
from leeward.cli.facts import Facts
from leeward.cli.paper import Papers
from leeward.cli.screen import Screen
from leeward.cli.session import session_of
from leeward.registry import BUILT_IN, GROUP


def version(context: typer.Context) -> None:
    """Show the version, and the adapters that are installed."""
    show_version(session_of(context).screen)


def show_version(screen: Screen) -> None:
    """Show the version on `screen`."""
    screen.show(
        {
            "leeward": __version__,
            "python": platform.python_version(),
            "adapters": _adapters(),
        },
        _draw,
    )


def _adapters() -> list[str]:
    from importlib.metadata import entry_points

    return sorted({*BUILT_IN, *entry_points(group=GROUP).names})


def _draw(facts: Facts, papers: Papers) -> None:
    papers.out.text(
        f"leeward {facts['leeward']} (Python {facts['python']}, "
        f"adapters: {', '.join(facts['adapters'])})"
    )
