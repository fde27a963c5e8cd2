"""What a traceback still holds: the frames from where an exception was caught to where it rose."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from importlib.metadata import Distribution


class Frame(NamedTuple):
    """A function that an exception went through.

    Attributes:
        module: its full name.
        function: its name in the code.
        values: of its local variables; empty once somebody has cleared the frame.
        is_cleared: somebody has, as unittest's `assertRaises` does.
        place: its module, and its name with that of its class.
        file: of its module; empty for code that no file has.
    """

    module: str
    function: str
    values: Mapping[str, Any]
    is_cleared: bool
    place: str
    file: str

    @property
    def library(self) -> str:
        """Return the first part of the module."""
        return self.module.partition(".")[0]

    @property
    def distribution(self) -> str:
        """Return the distribution that its file is of; empty for your own code."""
        return distribution_of(self.file)


def frames_of(error: BaseException) -> Iterator[Frame]:
    """Return the frames of an exception's traceback, the outermost first."""
    entry = error.__traceback__
    while entry is not None:
        frame = entry.tb_frame
        name = frame.f_globals.get("__name__")
        module = name if isinstance(name, str) else ""
        is_cleared = frame.f_code.co_argcount > 0 and not frame.f_locals
        code, file = frame.f_code, frame.f_globals.get("__file__") or file_of(module)
        place = f"{module}:{code.co_qualname}"
        yield Frame(module, code.co_name, frame.f_locals, is_cleared, place, str(file))
        entry = entry.tb_next


def file_of(module: str) -> str:
    """Return the file of a module that is loaded, of which generated code says the name only."""
    return getattr(sys.modules.get(module), "__file__", None) or ""


@cache
def distribution_of(file: str) -> str:
    """Return the distribution that owns a file, wherever it is installed; empty for your own code.

    Its list of files stands beside it, in a folder of ``pip --target`` and in a zip, too; of one
    that is editable, its address names the folder. What requires leeward is your own.
    """
    path = Path(file).absolute() if file else Path()
    for folder in path.parents:
        inside = path.relative_to(folder).as_posix()
        for each in _tops_in(str(folder)).get(re.split("[/.]", inside)[0], ()):
            names = each.read_text("RECORD")
            if names is None or f"\n{inside.rpartition('.')[0]}." in f"\n{names}":
                return _name_of(each)
    return next((_name_of(each) for folder, each in _editable() if path.is_relative_to(folder)), "")


@cache
def _tops_in(folder: str) -> dict[str, list[Distribution]]:
    """Return the distributions in a folder or a zip, by the first parts of their files' names."""
    from importlib.metadata import distributions  # which takes longer than most programs' answers

    found: dict[str, list[Distribution]] = {}
    for each in distributions(path=[folder]):
        names = each.read_text("RECORD") or each.read_text("top_level.txt")
        for top in {*re.findall("(?m)^[^/.,\n]+", names or each.name.replace("-", "_"))}:
            found.setdefault(top, []).append(each)
    return found


@cache
def _editable() -> list[tuple[str, Distribution]]:
    """Return the distributions that are installed as the folder of their source, with it."""
    import json
    from importlib.metadata import distributions
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    found = []
    for each in distributions():
        origin = json.loads(each.read_text("direct_url.json") or "{}")
        if origin.get("dir_info", {}).get("editable"):
            found.append((url2pathname(urlsplit(origin["url"]).path), each))
    return found


@cache
def _name_of(distribution: Distribution) -> str:
    """Return its name as an index has it; empty if it is leeward, or requires it."""
    needs = (distribution.name, *(distribution.requires or ()))
    if any(re.match(r"leeward\b", need, re.IGNORECASE) for need in needs):
        return ""
    return re.sub("[-_.]+", "-", distribution.name).lower()


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
