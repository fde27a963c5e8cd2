"""Files that a command writes for other tools, and what it shows of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from leeward.cli.output.console import Printers
from leeward.cli.output.json_view import JsonObject
from leeward.errors import ConfigError


def store(out: Path, files: Mapping[str, str]) -> None:
    """Write texts below a folder.

    Raises:
        ConfigError: it cannot be written to.
    """
    from leeward_deploy.archive import write_files

    try:
        write_files(out, {name: text.encode() for name, text in files.items()})
    except OSError as error:
        raise ConfigError(f"{out} cannot be written to: {error.strerror}") from error


def render_files(data: JsonObject, printers: Printers) -> None:
    """Show the files, what there is to say of them, and the commands that deploy them."""
    for file in data["files"]:
        printers.out.text(file)
    for note in data["notes"]:
        printers.err.text(note)
    if data["commands"]:
        printers.err.text("Not deployed; do it with these:")
    for each in data["commands"]:
        printers.err.lines(f"  {each['tool']}: {each['text']}\n      {each['hint']}")
