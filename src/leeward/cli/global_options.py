"""The global options, for the command that follows them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import typer

from leeward.cli.output.output import Output
from leeward.client import Client
from leeward.config import Config


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
    def client(self, config: Config | None = None) -> Iterator[Client]:
        """Open the client that the options describe, or that `config` describes in full.

        What functions and subscribers of an embedded target print, and their modules when they
        are imported, is not a result, so it goes to the standard error.
        """
        targets, where = (self.targets, self.config) if config is None else (None, config)
        with redirect_stdout(sys.stderr), Client(targets, config=where) as client:
            yield client


def options_of(context: typer.Context) -> GlobalOptions:
    """Return the global options of the running command."""
    options = context.obj
    assert isinstance(options, GlobalOptions)
    return options
