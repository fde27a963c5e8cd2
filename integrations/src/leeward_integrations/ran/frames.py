"""What a traceback still holds: the frames from where an exception was caught to where it rose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from leeward.records import NamedTuple


class Frame(NamedTuple):
    """A function that an exception went through.

    Attributes:
        module: its full name.
        function: its name in the code.
        values: of its local variables; empty once somebody has cleared the frame.
        is_cleared: somebody has, as unittest's `assertRaises` does.
    """

    module: str
    function: str
    values: Mapping[str, Any]
    is_cleared: bool = False

    @property
    def library(self) -> str:
        """Return the first part of the module."""
        return self.module.partition(".")[0]


def frames_of(error: BaseException) -> Iterator[Frame]:
    """Return the frames of an exception's traceback, the outermost first."""
    entry = error.__traceback__
    while entry is not None:
        frame = entry.tb_frame
        name = frame.f_globals.get("__name__")
        module = name if isinstance(name, str) else ""
        is_cleared = frame.f_code.co_argcount > 0 and not frame.f_locals
        yield Frame(module, frame.f_code.co_name, frame.f_locals, is_cleared)
        entry = entry.tb_next


def frames_in(error: BaseException, modules: str, *functions: str) -> list[Frame]:
    """Return the frames in modules whose names begin so; of these functions, if there are any."""
    return [
        frame
        for frame in frames_of(error)
        if frame.module.startswith(modules) and (not functions or frame.function in functions)
    ]


def library_of(value: object) -> str:
    """Return the first part of the module of the class of an exception, or of another value."""
    return type(value).__module__.partition(".")[0]


def kinds_of(error: object, *modules: str) -> frozenset[str]:
    """Return the names of an exception's classes, of these modules; without Python's own."""
    return frozenset(
        each.__name__
        for each in type(error).__mro__
        if each.__module__ != "builtins" and each.__module__.startswith(modules or "")
    )


def why_by_class(reasons: Mapping[str, str], error: object) -> str | None:
    """Return the reason that a table has for a class of an exception; None if it has none."""
    kinds = kinds_of(error)
    return next((why for kind, why in reasons.items() if kind in kinds), None)


def parts_of(error: BaseException) -> Iterator[BaseException]:
    """Return an exception and those in it, which its library has made it of.

    What was only handled by then (`__context__`) is of another call, and proves nothing of this.
    """
    parts, seen = [error], set[int]()
    while parts:
        part = parts.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        named = getattr(part, "kwargs", None)  # of botocore
        values = (*part.args, getattr(part, "reason", None), part.__cause__)
        values += tuple(named.values()) if isinstance(named, dict) else ()
        parts.extend(each for each in values if isinstance(each, BaseException))


def is_of_handshake(error: BaseException) -> bool:
    """Return whether an error is one of TLS's handshake, before any byte of a request.

    A certificate is refused in the handshake only. Other errors look alike before and after it.
    """
    return any(
        type(each).__name__ == "SSLCertVerificationError"
        or any(frame.function == "do_handshake" for frame in frames_of(each))
        for each in parts_of(error)
    )
