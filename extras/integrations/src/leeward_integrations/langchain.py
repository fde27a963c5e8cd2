"""LangChain: tools of `once` in an agent: ``create_agent(model, tools, middleware=[OnceCalls()])``.

The run and the place in it are those of LangGraph. Other middleware may stand on either side.
"""

from __future__ import annotations

from langchain.agents.middleware import AgentMiddleware

from leeward_integrations.langgraph import place_call, place_call_async


class OnceCalls(AgentMiddleware):  # type: ignore[misc]
    """A middleware by which the tools of `once` know where in its run a call is."""

    wrap_tool_call = staticmethod(place_call)
    awrap_tool_call = staticmethod(place_call_async)
