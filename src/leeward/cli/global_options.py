"""The global options, for the command that follows them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import typer

from leeward.cli.output.output import Output
from leeward.client import Client
from leeward.config import Config, load_config
from leeward.local.config import HANDLERS


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

    def resolved(self) -> Config:
        """Return the configuration that the options describe."""
        return load_config(self.targets, file=self.config, env=os.environ)

    def client_of_data(self) -> AbstractContextManager[Client]:
        """Open the same client without the functions and subscribers of embedded targets.

        Who looks at an item needs none of them, and a module that cannot be imported does not
        stop it.
        """
        return self.client(without_handlers(self.resolved()))


def without_handlers(config: Config) -> Config:
    """Return `config` without the options that name code of the user's."""
    options = {
        target: {name: value for name, value in each.items() if name not in HANDLERS}
        if target.partition(":")[0] == "local"
        else each
        for target, each in config.options.items()
    }
    return config._replace(options=options)


def options_of(context: typer.Context) -> GlobalOptions:
    """Return the global options of the running command."""
    options = context.obj
    assert isinstance(options, GlobalOptions)
    return options
