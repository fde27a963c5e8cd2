"""What the global options say, for the command that follows them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import typer

from leeward.cli.output.output import Output
from leeward.client import Client


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """The global options of one command line.

    Attributes:
        targets: the order; None for what is configured.
        config: the configuration file; None for the usual one.
        output: where results and errors go.
    """

    targets: str | None
    config: Path | None
    output: Output

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Open the client that the options describe.

        What functions and subscribers of an embedded target print is no result, so it goes to the
        standard error.
        """
        with redirect_stdout(sys.stderr), Client(self.targets, config=self.config) as client:
            yield client


def options_of(context: typer.Context) -> GlobalOptions:
    """Return the global options of the running command."""
    options = context.obj
    assert isinstance(options, GlobalOptions)
    return options
