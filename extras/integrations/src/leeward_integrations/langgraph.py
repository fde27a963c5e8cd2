"""LangGraph: tools of `once`: ``ToolNode([charge], wrap_tool_call=place_call)``.

The run is the thread of a checkpointer. The place is what was said last, how often the model has
answered since, and the index in its answer: all of it is kept, wherever the run goes on.
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
    facts, thread = config["metadata"], config["configurable"]
    outer = facts["langgraph_checkpoint_ns"].split("|")[:-1]  # without ids, which are of one step
    call, state, is_kept = request.tool_call, request.state, thread.get("__pregel_checkpointer")
    # Where its messages are, the state does not say.
    if not isinstance(state, list | dict):
        state = {name: getattr(state, name, None) for name in get_type_hints(type(state))}
    fields = [state] if isinstance(state, list) else state.values()
    messages: list[Any] = [it for field in fields if isinstance(field, list) for it in field]
    lists = [getattr(message, "tool_calls", None) or () for message in messages]
    at = next((at for at in reversed(range(len(lists))) if _index_in(lists[at], call)), -1)
    kinds = [getattr(message, "type", "") for message in messages[: max(at, 0)]]
    said = next((at for at in reversed(range(len(kinds))) if kinds[at] not in ("ai", "tool")), at)
    id = getattr(messages[said], "id", None) if said >= 0 else None
    return tool_call(
        # Steps have other numbers where a run goes on from a checkpoint, and answers other ids.
        f"{id or call['id']}/{kinds[said:].count('ai')}" if is_kept else facts["langgraph_step"],
        # Several tasks of a step may run one node, each with a message of its own.
        f"{facts['langgraph_node']}:{facts['langgraph_path']}:"
        f"{(lists and _index_in(lists[at], call)) or call['id']}",
        # Without a checkpointer steps begin anew with each call of the graph.
        run=str(thread["thread_id"]) if is_kept else None,
        within="|".join(name.partition(":")[0] for name in outer),
        names=request.tool_call["args"].keys(),
        releases=(GraphBubbleUp,),
        as_text=True,
    )


def _index_in(calls: Any, tool_call: Any) -> list[int]:
    """Return where a call is among those of a message; some models give equal ids."""
    places = [at for at, call in enumerate(calls) if call["id"] == tool_call["id"]]
    return places if len(places) < 2 else [at for at in places if calls[at] is tool_call] or places
