"""What the global options say, for the command that follows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer

from leeward.cli.screen import Screen
from leeward.client import Client


@dataclass(frozen=True, slots=True)
class Session:
    """The global options of one command line.

    Attributes:
        targets: the order; None for what is configured.
        config: the configuration file; None for the usual one.
        screen: where results and errors go.
    """

    targets: str | None
    config: Path | None
    screen: Screen

    def client(self) -> Client:
        """Open the client that the options describe."""
        return Client(self.targets, config=self.config)


def session_of(context: typer.Context) -> Session:
    """Give the session of the running command."""
    session = context.obj
    assert isinstance(session, Session)
    return session
