"""What the process that watches hands to the process that runs the app."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Final, Self

from leeward.config import Config, with_order
from leeward.registry import EMBEDDED
from leeward.values import NOTHING

ROW_KEEPERS: Final = (EMBEDDED, "postgres")
"""Providers whose targets keep rows, so that apps run over them."""

LARGEST: Final = 65_536
"""Bytes that are read at once."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the process of the app has to know.

    Attributes:
        app: ``module:app``; None as `leeward.toml` names it.
        targets: the order; None as it is configured.
        config: path of the configuration file; None for the usual one.
        trust_env: False for the hardened mode.
        as_json: write JSON for programs.
        texts: show texts of exceptions.
        drain: seconds that the work has to end in.
        sockets: descriptors that listen.
        port: of these.
        token: of the console's address.
        fresh: a folder for the state of embedded targets, in place of the usual one; None for that.
        fault: why the app is not even tried; None for an app that is to run.
        history: descriptor of a file: what has passed before the app was loaded again.
    """

    app: str | None
    targets: str | None
    config: str | None
    trust_env: bool
    as_json: bool
    texts: bool
    drain: int
    sockets: tuple[int, ...] = ()
    port: int = 0
    token: str = ""
    fresh: str | None = None
    fault: str | None = None
    history: int = -1

    def send(self, descriptor: int) -> None:
        """Write it to a pipe, on one line."""
        os.write(descriptor, json.dumps(asdict(self)).encode() + b"\n")

    @classmethod
    def receive(cls, descriptor: int) -> Self:
        """Read it from a pipe."""
        text = b""
        while not text.endswith(b"\n"):
            piece = os.read(descriptor, LARGEST)
            if not piece:
                raise EOFError("the process that watches has gone")
            text += piece
        fields = json.loads(text)
        return cls(**{**fields, "sockets": tuple(fields["sockets"])})


def keeps_rows(config: Config) -> bool:
    """Return whether an app can run over a target of the order."""
    return any(target.provider in ROW_KEEPERS for target in config.order)


def for_development(config: Config, targets: str | None, *, trust_env: bool) -> Config:
    """Return a configuration without what is for production.

    That is the order, if nobody has asked for one and no target of it keeps rows: the embedded
    target takes its place, and that of all homes and groups. And the addresses of a worker, whose
    functions are served elsewhere.

    Args:
        config: as it is for the deployed app.
        targets: the order that was asked for, or None.
        trust_env: as of `leeward.Client`.
    """
    if targets is None and not keeps_rows(config):
        config = with_order(config, EMBEDDED, os.environ, trust_env=trust_env)
        config = config._replace(
            data_target=None,
            workflow_target=None,
            tables={name: table._replace(home=None) for name, table in config.tables.items()},
            buckets={name: bucket._replace(home=None) for name, bucket in config.buckets.items()},
            groups=NOTHING,
            weights=NOTHING,
        )
    worker = config.worker
    target = next((str(target) for target in config.order if str(target) == worker.target), None)
    return config._replace(worker=worker._replace(http=None, health=None, target=target))
