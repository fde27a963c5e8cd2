"""Pydantic AI: tools of `once`: ``Agent(model, tools=[charge], capabilities=[OnceCalls()])``.

The run is the `run_id`, if the program gives one: one that the library makes is another one after
a crash, so then the run needs a name: ``with agent_run("order-17"):``.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any
from uuid import UUID

from pydantic_ai import ApprovalRequired, CallDeferred, RunContext
from pydantic_ai.capabilities import AbstractCapability

from leeward_integrations.once import agent_run, tool_call


class OnceCalls(AbstractCapability[Any]):  # type: ignore[misc]
    """A capability by which the tools of `once` know their run, and the model what is open."""

    async def wrap_run(self, ctx: RunContext[Any], *, handler: Any) -> Any:
        """Name the run, if the program has named it."""
        with nullcontext() if _is_made(ctx.run_id) else agent_run(ctx.run_id):
            return await handler()

    async def wrap_tool_execute(
        self, ctx: RunContext[Any], *, call: Any, tool_def: Any, args: Any, handler: Any
    ) -> Any:
        """Call a tool."""
        releases = ApprovalRequired, CallDeferred
        with tool_call(names=args.keys(), releases=releases, as_text=True):
            return await handler(args)


def _is_made(run: str | None) -> bool:
    """Return whether the library has made this id of a run."""
    try:
        return UUID(run or "").version in (4, 7)
    except ValueError:
        return not run
