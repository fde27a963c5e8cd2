"""Pydantic AI: tools of `once`: ``Agent(model, tools=[charge], capabilities=[OnceCalls()])``.

The library makes the ids of its runs anew, so a run needs a name: ``with agent_run("order-17"):``.
"""

from __future__ import annotations

from typing import Any

from pydantic_ai import ApprovalRequired, CallDeferred, RunContext
from pydantic_ai.capabilities import AbstractCapability

from leeward_integrations.once import tool_call


class OnceCalls(AbstractCapability[Any]):  # type: ignore[misc]
    """A capability by which the model hears from the tools of `once` what is open."""

    async def wrap_tool_execute(
        self, ctx: RunContext[Any], *, call: Any, tool_def: Any, args: Any, handler: Any
    ) -> Any:
        """Call a tool."""
        pauses = ApprovalRequired, CallDeferred
        with tool_call(names=args.keys(), releases=pauses, as_text=True):
            return await handler(args)
