"""OpenAI Agents SDK: tools of `once`: ``Agent(tools=[once_tool(function_tool(charge))])``.

The SDK makes the ids of its runs anew, so a run needs a name: ``with agent_run("order-17"):``.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

from agents import FunctionTool
from agents.tool_context import ToolContext

from leeward.errors import ConfigError
from leeward_integrations.once import tool_call


def once_tool(tool: FunctionTool) -> FunctionTool:
    """Return a tool whose function, that of `once`, tells the model what is not known."""
    if not isinstance(tool, FunctionTool):
        raise ConfigError("once_tool takes what function_tool returns, once_tool(function_tool(f))")

    async def invoke(context: ToolContext[Any], arguments: str) -> Any:
        names = None
        with suppress(ValueError):  # the SDK tells the model
            names = json.loads(arguments or "{}")
        with tool_call(names=names, as_text=True):
            return await tool.on_invoke_tool(context, arguments)

    return replace(tool, on_invoke_tool=invoke)
