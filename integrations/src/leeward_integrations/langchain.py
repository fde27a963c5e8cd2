"""LangChain: tools of `once` in an agent: ``create_agent(model, tools, middleware=[OnceCalls()])``.

The run and the place in it are those of LangGraph. Other middleware may stand on either side.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware

from leeward_integrations.langgraph import place_call, place_call_async


class OnceCalls(AgentMiddleware):  # type: ignore[misc]
    """A middleware by which the tools of `once` know where in its run a call is."""

    def wrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Call a tool at its place."""
        return place_call(request, handler)

    async def awrap_tool_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """Do the same for coroutines."""
        return await place_call_async(request, handler)
