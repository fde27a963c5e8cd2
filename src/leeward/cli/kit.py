"""What an adapter needs to add commands, by the entry point ``leeward.commands``."""

from __future__ import annotations

from leeward.cli.global_options import GlobalOptions, options_of
from leeward.cli.group import add_command, command_group
from leeward.cli.output.console import Printers
from leeward.cli.output.json_view import JsonObject

__all__ = [
    "GlobalOptions",
    "JsonObject",
    "Printers",
    "add_command",
    "command_group",
    "options_of",
]
