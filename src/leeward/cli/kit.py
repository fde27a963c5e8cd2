"""What an adapter needs to add commands, by the entry point ``leeward.commands``."""

from __future__ import annotations

from leeward.cli.arguments import option
from leeward.cli.global_options import GlobalOptions, options_of
from leeward.cli.group import add_command, command_group
from leeward.views import Block, Report

__all__ = [
    "Block",
    "GlobalOptions",
    "Report",
    "add_command",
    "command_group",
    "option",
    "options_of",
]
