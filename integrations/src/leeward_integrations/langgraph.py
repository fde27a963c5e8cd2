"""LangGraph: tools of `once`: ``ToolNode([charge], wrap_tool_call=place_call)``.

The run is the thread of a checkpointer, and the place is step and index in the message.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, get_type_hints

from langgraph.errors import GraphBubbleUp

from leeward_integrations.once import tool_call


def place_call(request: Any, handler: Callable[[Any], Any]) -> Any:
    """Call a tool at its place in the graph; a `wrap_tool_call` of `ToolNode`."""
    with _position_in_graph(request):
        return handler(request)


async def place_call_async(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
    """Do the same for coroutines; an `awrap_tool_call`."""
    with _position_in_graph(request):
        return await handler(request)


def _position_in_graph(request: Any) -> Any:
    config = request.runtime.config
    facts, known = config["metadata"], config["configurable"]
    own, state = request.tool_call, request.state
    # Where its messages are, the state does not say.
    if not isinstance(state, list | dict):
        state = {name: getattr(state, name, None) for name in get_type_hints(type(state))}
    fields = [state] if isinstance(state, list) else state.values()
    messages = [message for field in fields if isinstance(field, list) for message in field]
    lists = [getattr(message, "tool_calls", None) or () for message in reversed(messages)]
    calls = next((it for it in lists if own["id"] in [call["id"] for call in it]), ())
    index = [at for at, call in enumerate(calls) if call["id"] == own["id"]]
    if len(index) > 1:  # some models give equal ids
        index = [at for at, call in enumerate(calls) if call is own]
    return tool_call(
        facts["langgraph_step"],
        # Several tasks of a step may run one node, each with a message of its own.
        f"{facts['langgraph_node']}:{facts['langgraph_path']}:{index or own['id']}",
        # Without a checkpointer steps begin anew with each call of the graph.
        run=str(known["thread_id"]) if known.get("__pregel_checkpointer") else None,
        within=facts["langgraph_checkpoint_ns"].rpartition("|")[0],
        names=request.tool_call["args"].keys(),
        releases=(GraphBubbleUp,),
        as_text=True,
    )
