"""What a plain function says of itself, without `inspect`: that costs more than a small app does.

Any other callable is left to that.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, NamedTuple

_ANY_POSITIONAL: Final = 0x04
_ANY_NAMED: Final = 0x08
_COROUTINE: Final = 0x80
"""Flags of code, as `inspect` names them: CO_VARARGS, CO_VARKEYWORDS, CO_COROUTINE."""

_MARK: Final = "_is_coroutine_marker"
"""What `inspect.markcoroutinefunction` leaves at a function."""


class Parameters(NamedTuple):
    """The parameters of a function.

    Attributes:
        names: in their order, those by keyword last.
        defaults: of those that have one.
        takes_any: it takes any number of arguments besides.
    """

    names: tuple[str, ...]
    defaults: dict[str, Any]
    takes_any: bool


class Idempotency(NamedTuple):
    """What an idempotent function declares, for whoever registers it.

    Attributes:
        function: as it was decorated; a decorator above it may copy this.
        scope: where a repeated key is recognised, as ``x-leeward-dedup`` has it.
        names_principal: it says whose a key is, or that all callers are one.
    """

    function: object
    scope: str
    names_principal: bool


IDEMPOTENCY: Final = "leeward_idempotency"
"""The attribute with that of a function."""


def is_coroutine_function(function: object) -> bool:
    """Return whether calling `function` gives a coroutine."""
    plain = getattr(function, "__func__", function)
    if type(plain) is FunctionType and _MARK not in plain.__dict__:
        return bool(plain.__code__.co_flags & _COROUTINE)
    from inspect import iscoroutinefunction

    return iscoroutinefunction(function)


def parameters_of(function: Callable[..., Any]) -> Parameters:
    """Return the parameters of a function, those of what decorators stand before."""
    if type(function) is not FunctionType or hasattr(function, "__wrapped__"):
        return _by_inspect(function)
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    values = function.__defaults__ or ()
    positional = names[code.co_argcount - len(values) : code.co_argcount]
    defaults = dict(zip(positional, values, strict=True)) | (function.__kwdefaults__ or {})
    return Parameters(names, defaults, bool(code.co_flags & (_ANY_POSITIONAL | _ANY_NAMED)))


def _by_inspect(function: Callable[..., Any]) -> Parameters:
    from inspect import Parameter, signature

    found = signature(function).parameters.values()
    several = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return Parameters(
        tuple(each.name for each in found if each.kind not in several),
        {each.name: each.default for each in found if each.default is not Parameter.empty},
        any(each.kind in several for each in found),
    )
