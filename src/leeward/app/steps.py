"""Functions of an app as steps of its workflows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from leeward.app.triggers import Kind
from leeward.errors import ConfigError
from leeward.workflow.arguments import Named

if TYPE_CHECKING:
    from leeward.app.context import Function
    from leeward.app.handlers import Handler


def find_in(handlers: Mapping[str, Handler], app: str) -> Callable[[Function], Named]:
    """Return what finds, for a step that names a function of an app, what the step calls.

    Args:
        handlers: of the app, by name.
        app: its name, for the message.
    """

    def find(function: Function) -> Named:
        for handler in handlers.values():
            if handler.kind is Kind.CALL and handler.function is function:
                return Named(handler.name, handler.effect, handler.timeout)
        name = getattr(function, "__name__", type(function).__name__)
        raise ConfigError(
            f"a step names {name!r}, which is not a function of the app {app!r}; register "
            "it with @app.function(), above the workflow"
        )

    return find
