"""What the global options say, for the command that follows them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
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

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Open the client that the options describe.

        What functions and subscribers of an embedded target print is no result, so it goes to the
        standard error.
        """
        with redirect_stdout(sys.stderr), Client(self.targets, config=self.config) as client:
            yield client


def session_of(context: typer.Context) -> Session:
    """Return the session of the running command."""
    session = context.obj
    assert isinstance(session, Session)
    return session
