"""What the process that watches hands to the process that runs the app."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Final, Self

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
        drain: seconds that the work has to end in.
        sockets: descriptors that listen.
        port: of these.
        token: of the console's address.
        fresh: a folder for the state of embedded targets, in place of the usual one; None for that.
        fault: why the app is not even tried; None for an app that is to run.
    """

    app: str | None
    targets: str | None
    config: str | None
    trust_env: bool
    as_json: bool
    drain: int
    sockets: tuple[int, ...] = ()
    port: int = 0
    token: str = ""
    fresh: str | None = None
    fault: str | None = None

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
