"""Classes of libraries that read JSON themselves: known by what they have, and never imported.

`msgspec.Struct` has ``__struct_fields__``, a model of pydantic ``model_validate``. The texts of
their errors hold the input, so only paths and types are taken out of them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final, get_args

from leeward.app.mismatch import Mismatch
from leeward.values import Json

_WHERE: Final = re.compile(r" - at `(\$[\w.\[\]]*)`$")
_EXPECTED: Final = re.compile(r"^Expected `([\w.| ]{1,80})`")
_MISSING: Final = re.compile(r"^Object missing required field `(\w+)`")
_NAME: Final = re.compile(r"\w{1,64}")


def model_reader(kind: type) -> Callable[[Json], Any] | None:
    """Return what reads `kind` from JSON; None if it is not such a class."""
    if hasattr(kind, "__struct_fields__"):
        return _struct(kind)
    if hasattr(kind, "model_validate"):
        return _model(kind)
    return None


def dumped(value: Any) -> Any:
    """Return what a value of such a class is in JSON; itself if it is not of one."""
    if hasattr(value, "__struct_fields__"):
        return sys.modules["msgspec"].to_builtins(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return value


def _struct(kind: type) -> Callable[[Json], Any]:
    msgspec = sys.modules["msgspec"]

    def read(value: Json) -> Any:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            flaw = _struct_mismatch(str(error), kind.__name__)
        raise flaw

    return read


def _struct_mismatch(text: str, name: str) -> Mismatch:
    where, expected, missing = _WHERE.search(text), _EXPECTED.match(text), _MISSING.match(text)
    if missing:
        found = Mismatch(f"what {name} has there", missing=True)
        found.steps.append(f".{missing[1]}")
    else:
        found = Mismatch(expected[1] if expected else f"as {name} says")
    found.steps.append(where[1][1:] if where else "")
    return found


def _model(kind: Any) -> Callable[[Json], Any]:
    def read(value: Json) -> Any:
        try:
            return kind.model_validate(value)
        except Exception as error:
            if not hasattr(error, "errors"):
                raise
            flaw = _model_mismatch(error, kind)
        raise flaw

    return read


def _model_mismatch(error: Any, kind: Any) -> Mismatch:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    code = str(first["type"])
    found = Mismatch(f"valid ({code})" if _NAME.fullmatch(code) else "valid")
    found.missing = code == "missing"
    found.steps.extend(reversed(list(_steps(first["loc"], kind))))
    return found


def _steps(location: Iterable[Any], kind: Any) -> Iterable[str]:
    """Yield a path; what is not the name of a field is a key of the input, and not shown."""
    for part in location:
        fields = getattr(kind, "model_fields", {})
        parts = [each for each in get_args(kind) if each is not type(None)]
        if isinstance(part, int):
            yield f"[{part}]"
            kind = parts[0] if parts else None
            continue
        field = fields.get(part) or next(
            (each for each in fields.values() if getattr(each, "alias", None) == part), None
        )
        if field is not None:
            yield f".{part}"
            kind = _inner(field.annotation)
        else:
            yield "[...]"
            kind = parts[-1] if parts else None


def _inner(annotation: Any) -> Any:
    """Return the type inside of ``X | None``."""
    from types import UnionType
    from typing import Union, get_origin

    parts = [each for each in get_args(annotation) if each is not type(None)]
    if get_origin(annotation) in (Union, UnionType) and len(parts) == 1:
        return parts[0]
    return annotation
