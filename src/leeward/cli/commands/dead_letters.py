"""``leeward dead-letters``: what was given up after its handler had failed every time."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import typer

from leeward.cli.global_options import options_of, without_handlers
from leeward.cli.output.console import Printers
from leeward.cli.output.json_view import JsonObject, json_of_dead_letter
from leeward.errors import Unsupported

if TYPE_CHECKING:
    from leeward.local import DeadLetter

HEADER = ("target", "bus", "handler", "tries", "event", "error")
LONGEST = 60
"""Characters of an error in the table; ``--json`` has all of it."""


def dead_letters(context: typer.Context) -> None:
    """List the events and queued calls that were given up.

    The embedded targets of the order keep them; those of a cloud are where its service puts them.
    """
    options = options_of(context)
    config = without_handlers(options.resolved())
    keepers = [str(target) for target in config.order if target.provider == "local"]
    if not keepers:
        raise Unsupported(
            f"none of {', '.join(map(str, config.order))} keeps dead letters; look at the dead "
            "letters of the cloud's own service, or name a local target with --targets"
        )
    with options.client(config) as client:
        found = [
            json_of_dead_letter(target, letter)
            for target in keepers
            for letter in cast("tuple[DeadLetter, ...]", client.native(target, "dead_letters"))
        ]
    options.output.show({"dead_letters": found}, _render)


def _render(data: JsonObject, printers: Printers) -> None:
    letters = data["dead_letters"]
    if not letters:
        printers.err.text("No dead letters.")
        return
    printers.out.table(HEADER, [_row(letter) for letter in letters], ("cyan",))


def _row(letter: JsonObject) -> tuple[str, ...]:
    event = letter["event"] or {}
    told = ": ".join(filter(None, (letter["error"], letter["message"]))).partition("\n")[0]
    return (
        letter["target"],
        letter["bus"] or "(queued call)",
        letter["handler"],
        str(letter["attempts"]),
        event.get("id", "-"),
        told if len(told) <= LONGEST else f"{told[: LONGEST - 3]}...",
    )
