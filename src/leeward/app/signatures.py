"""What a function says of itself. Plain functions need no `inspect`, which loads slowly."""

from __future__ import annotations

from collections.abc import Callable
from types import AsyncGeneratorType, FunctionType, GeneratorType
from typing import Any, Final

from leeward.records import NamedTuple

_ANY_POSITIONAL: Final = 0x04
_ANY_NAMED: Final = 0x08
_COROUTINE: Final = 0x80
_GENERATOR: Final = 0x20 | 0x200
"""Flags of code, as `inspect` names them: CO_VARARGS, CO_VARKEYWORDS, CO_COROUTINE, CO_GENERATOR,
CO_ASYNC_GENERATOR."""

_MARK: Final = "_is_coroutine_marker"
"""What `inspect.markcoroutinefunction` leaves at a function."""


class Parameters(NamedTuple):
    """The parameters of a function.

    Attributes:
        positional: names of those that are filled by position, in their order.
        takes_any: it takes any number of arguments besides.
    """

    positional: tuple[str, ...]
    keyword: tuple[str, ...]
    defaults: dict[str, Any]
    takes_any: bool


class Idempotency(NamedTuple):
    """What an idempotent function declares, for whoever registers it.

    Attributes:
        function: as it was decorated; a decorator above it may copy this.
        scope: where a repeated key is recognised, as ``x-leeward-dedup`` has it.
        names_principal: it says whose a key is, or that all callers are one.
        settle: returns what became of the calls with a key, as a document or a coroutine of one. It
            takes how old the call is, in seconds or None; the arguments that it had, or None; the
            context; and whether the asker has made the call in this process.
        bind: makes it the function of a handler, by the logical names of the app and the handler.
    """

    function: object
    scope: str
    names_principal: bool
    settle: Callable[..., Any]
    records: Callable[[], str]
    table: str
    bind: Callable[[str], None]


IDEMPOTENCY: Final = "leeward_idempotency"
"""The attribute of a function that has its `Idempotency`."""

GENERATORS: Final = (GeneratorType, AsyncGeneratorType)
"""What a generator function returns: none of it has run."""

HANDLERS: Final = "leeward_handlers"
"""The attribute of a function that has its handlers, so that it can be called as itself."""


def is_coroutine_function(function: object) -> bool:
    """Return whether calling `function` gives a coroutine."""
    plain = getattr(function, "__func__", function)
    if type(plain) is FunctionType and _MARK not in plain.__dict__:
        return bool(plain.__code__.co_flags & _COROUTINE)
    from inspect import iscoroutinefunction

    return iscoroutinefunction(function)


def is_generator_function(function: object) -> bool:
    """Return whether calling `function` gives a generator, or an asynchronous one."""
    plain = getattr(function, "__func__", function)
    if type(plain) is FunctionType:
        return bool(plain.__code__.co_flags & _GENERATOR)
    from inspect import isasyncgenfunction, isgeneratorfunction

    return isgeneratorfunction(function) or isasyncgenfunction(function)


def is_plain(function: object) -> bool:
    """Return whether `function` is a function that no decorator stands before."""
    return type(function) is FunctionType and not hasattr(function, "__wrapped__")


def definition_place(function: object) -> str | None:
    """Return file and line of a function, of the inner one where decorators stand before it.

    None where Python knows no place.
    """
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    return None if code is None else f"{code.co_filename}:{code.co_firstlineno}"


def parameters_of(function: Callable[..., Any]) -> Parameters:
    """Return the parameters of a function, those of the inner one where decorators stand before it.

    Raises:
        TypeError, ValueError: some built-ins have no signature.
    """
    if is_plain(function):
        code = function.__code__
        positional = code.co_varnames[: code.co_argcount]
        keyword = code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount]
        values = function.__defaults__ or ()
        with_default = positional[len(positional) - len(values) :]
        defaults = dict(zip(with_default, values, strict=True)) | (function.__kwdefaults__ or {})
        takes_any = bool(code.co_flags & (_ANY_POSITIONAL | _ANY_NAMED))
        return Parameters(positional, keyword, defaults, takes_any)
    from inspect import Parameter, signature

    parameters = signature(function).parameters.values()
    by_position = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    several = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return Parameters(
        tuple(kind.name for kind in parameters if kind.kind in by_position),
        tuple(kind.name for kind in parameters if kind.kind is Parameter.KEYWORD_ONLY),
        {kind.name: kind.default for kind in parameters if kind.default is not kind.empty},
        any(kind.kind in several for kind in parameters),
    )
