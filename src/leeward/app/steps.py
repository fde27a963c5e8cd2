"""Functions of an app as steps of its workflows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from leeward.app.triggers import Kind
from leeward.errors import ConfigError
from leeward.workflow.flow import FlowFunction

if TYPE_CHECKING:
    from leeward.app.app import App
    from leeward.app.context import Function


def named_in(app: App) -> Callable[[Function], FlowFunction]:
    """Return what finds, for a step that names a function of `app`, what the step calls."""

    def named(function: Function) -> FlowFunction:
        for handler in app.handlers.values():
            if handler.kind is Kind.CALL and handler.function is function:
                return FlowFunction(handler.name, handler.effect, handler.timeout)
        name = getattr(function, "__name__", type(function).__name__)
        raise ConfigError(
            f"a step names {name!r}, which is not a function of the app {app.name!r}; register "
            "it with @app.function(), above the workflow"
        )

    return named
