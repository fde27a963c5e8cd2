"""Pydantic AI: tools of `once`: ``Agent(model, tools=[charge], capabilities=[OnceCalls()])``.

The run is its `run_id`, if the program gives one: one that the library makes is another one after
a crash. The place is the number of the response, and the index in it.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic_ai import (  # type: ignore[import-not-found]
    ApprovalRequired,
    CallDeferred,
    RunContext,
)
from pydantic_ai.capabilities import AbstractCapability  # type: ignore[import-not-found]
from pydantic_ai.messages import ModelResponse  # type: ignore[import-not-found]

from leeward_integrations.once import tool_call


class OnceCalls(AbstractCapability[Any]):  # type: ignore[misc]
    """Tells the tools of `once` where in its run a call is."""

    async def wrap_tool_execute(
        self, ctx: RunContext[Any], *, call: Any, tool_def: Any, args: Any, handler: Any
    ) -> Any:
        """Call a tool at its place."""
        responses = [message for message in ctx.messages if isinstance(message, ModelResponse)]
        ids = [part.tool_call_id for part in responses[-1].tool_calls]
        with tool_call(
            len(responses),
            ids.index(call.tool_call_id),
            run=None if _is_made(ctx.run_id) else ctx.run_id,
            names=args.keys(),
            releases=(ApprovalRequired, CallDeferred),
            as_text=True,
        ):
            return await handler(args)


def _is_made(run: str | None) -> bool:
    """Return whether the library has made this id of a run."""
    try:
        return UUID(run or "").version in (4, 7)
    except ValueError:
        return not run
