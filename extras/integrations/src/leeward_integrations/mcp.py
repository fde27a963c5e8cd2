"""MCP servers, of the official SDK and of FastMCP: ``@once_tool(server)`` over ``@once(...)``.

A server does not know the run of the agent that calls it, and ids of sessions and requests are made
anew. So the client says where the call is, in `_meta`: `RUN`, `TURN` and `INDEX`; or `KEY` alone,
as leeward's own client does. Without that a call is one of its session: a retry within the request,
and an equal call after one that got no answer, are the same call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from inspect import Parameter, signature
from typing import Any, Final, get_args
from uuid import uuid4
from weakref import WeakKeyDictionary

from leeward.app.answers import Problem
from leeward.app.idempotency.settlement import without_waiting
from leeward.app.signatures import is_coroutine_function
from leeward.errors import ConfigError
from leeward.values import Effect
from leeward_integrations.coroutines import value_of
from leeward_integrations.once import effect_of, tool_call

RUN: Final = "leeward/run"
"""In ``_meta``: the name of the agent's run, the same when it is resumed, and no other run's."""
TURN: Final = "leeward/turn"
"""The turn of the model in which it has asked for the call."""
INDEX: Final = "leeward/index"
"""The number of the call in that turn."""
KEY: Final = "leeward/key"
"""The key of one call, the same when it is repeated."""

_CONTEXT: Final = "leeward_context"
_NAMES: Final[WeakKeyDictionary[Any, str]] = WeakKeyDictionary()
"""The names of sessions that have none themselves, such as those over stdio."""

_HINTS: Final[Mapping[Effect, Mapping[str, bool]]] = {
    Effect.READ_ONLY: {"readOnlyHint": True},
    Effect.IDEMPOTENT: {"readOnlyHint": False, "idempotentHint": True},
    Effect.UNSAFE: {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False},
}
"""https://modelcontextprotocol.io/specification/2025-11-25/schema: `ToolAnnotations`."""


def once_tool(
    server: Any, *, run_of: Callable[[Any], str] | None = None, **options: Any
) -> Callable[[Any], Any]:
    """Register a function of `once` as a tool of a server, with the hints of its effect.

    `options` are those of `server.tool`. `run_of` returns the run of a call that names none, from
    the library's context, such as the user's and a header; else it is the session.

    Raises:
        ConfigError: the function has no `once` before it.
    """
    module = type(server).__module__
    root = "fastmcp" if module.startswith("fastmcp") else module.rpartition(".")[0]
    context: Any = import_module(root).Context
    failure: Any = import_module(f"{root}.exceptions").ToolError
    hints: Any = import_module("mcp.types").ToolAnnotations

    def register(function: Any) -> Any:
        effect = effect_of(function)
        if effect is None:
            raise ConfigError(f"put @once directly before {function.__name__}, below @once_tool")
        tool = (
            _add_place(function, context, failure, run_of) if effect is Effect.UNSAFE else function
        )
        server.tool(**{"annotations": hints(**_HINTS[effect]), **options})(tool)
        return function

    return register


def _add_place(function: Any, context: Any, failure: Any, run_of: Any) -> Any:
    """Return a function that takes the context of a request, and says with it where the call is."""
    function_signature = signature(function, eval_str=True)
    parameters = [*function_signature.parameters.values()]
    held = [it.name for it in parameters if _has_class(it.annotation, context)]
    # What a library injects, such as FastMCP's `Depends`, is not of the model.
    injected = {it.name for it in parameters if hasattr(it.default, "__aenter__")}
    if not held:  # the official SDK gives a tool one context, and not two
        parameters.append(Parameter(_CONTEXT, Parameter.KEYWORD_ONLY, annotation=context))

    @contextmanager
    def enter_call(named: dict[str, Any]) -> Iterator[None]:
        request = named[held[0]] if held else named.pop(_CONTEXT)
        try:
            with _call_of(request, named.keys() - {*held, *injected}, run_of):
                yield
        except Problem as error:
            raise failure(str(error)) from error

    async def call(**named: Any) -> Any:
        with enter_call(named):
            return await value_of(function(**named))

    placed: Any = wraps(function)(
        call if is_coroutine_function(function) else without_waiting(call)
    )
    placed.__signature__ = function_signature.replace(parameters=parameters)
    kinds = {it.name: it.annotation for it in parameters}
    placed.__annotations__ = {**kinds, "return": function_signature.return_annotation}
    del placed.__wrapped__  # libraries would look through it, and find no context
    return placed


def _has_class(annotation: Any, kind: type) -> bool:
    """Return whether an annotation is a class, one of its subclasses, or has one among others."""
    is_class = isinstance(annotation, type) and issubclass(annotation, kind)
    return is_class or any(_has_class(part, kind) for part in get_args(annotation))


def _call_of(context: Any, names: Collection[str], run_of: Any) -> Any:
    """Return the place of the call that a request makes."""
    request = context.request_context
    meta = getattr(request.meta, "model_extra", None) or request.meta or {}
    said = meta if isinstance(meta, Mapping) else {}
    run, turn, index = said.get(RUN), said.get(TURN), said.get(INDEX, 0)
    if said.get(KEY) is not None:
        run, turn, index = said[KEY], 0, 0
    elif run is not None and turn is None:  # ids of requests are other ones when it is resumed
        raise Problem(f"send {TURN} beside {RUN}, or {KEY} alone; it did not run", status=400)
    elif run is None:
        headers = getattr(request.request, "headers", None) or {}
        owner = getattr(request.session, "_connection", request.session)  # version 2: one a request
        session = headers.get("mcp-session-id") or _NAMES.setdefault(owner, uuid4().hex)
        run = run_of(context) if run_of else f"session {session}"
        turn = request.request_id if turn is None else turn
    return tool_call(turn, index, run=str(run), names=names)
