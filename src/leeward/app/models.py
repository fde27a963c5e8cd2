"""Classes of libraries that read JSON themselves: known by what they have, and never imported.

`msgspec.Struct` has ``__struct_fields__``, a model of pydantic ``model_validate``. The texts of
their errors hold the input, so only paths and types are taken out of them.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, Final, get_args

from leeward.app.decoding import MOST, Mismatch, together, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from leeward.values import Json

_WHERE: Final = re.compile(r" - at `(\$[\w.\[\]]*)`$")
_EXPECTED: Final = re.compile(
    r"^Expected `([\w.| ]{1,80})`((?: of length)? (?:>=|<=|>|<) -?[\d.]{1,20})?"
)
_MISSING: Final = re.compile(r"^Object missing required field `(\w+)`")
_NAME: Final = re.compile(r"\w{1,64}")

_INVALID: Final = (
    ("Invalid enum value", "one of its values"),
    ("Invalid RFC3339", "a time as RFC 3339 has it"),
    ("Invalid UUID", "a UUID"),
    ("Invalid base64", "base64"),
    ("Object contains unknown field", "without further fields"),
    ("Expected `str` matching regex", "str of its pattern"),
)
"""How texts of msgspec begin, and what belongs there."""


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
            flaws = [_struct_mismatch(str(error), kind.__name__)]
        raise together(_struct_flaws(value, kind, msgspec) or flaws)

    return read


def _struct_flaws(value: Json, kind: Any, msgspec: Any) -> list[Mismatch]:
    """Return the flaws of each field by itself: of a whole, msgspec tells the first alone."""
    found: list[Mismatch] = []
    if type(value) is not dict:
        return found
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        if name not in value:
            if field.required:
                found.append(Mismatch(type_name(field.type), missing=True).inside(f".{name}"))
            continue
        try:
            msgspec.convert(value[name], field.type)
        except msgspec.ValidationError as error:
            is_struct = hasattr(field.type, "__struct_fields__")
            flaws = _struct_flaws(value[name], field.type, msgspec) if is_struct else []
            flaws = flaws or [_struct_mismatch(str(error), kind.__name__)]
            found += [each.inside(f".{name}") for each in flaws]
    return found


def _struct_mismatch(text: str, name: str) -> Mismatch:
    where, expected, missing = _WHERE.search(text), _EXPECTED.match(text), _MISSING.match(text)
    known = [told for begins, told in _INVALID if text.startswith(begins)]
    if missing:
        found = Mismatch(f"what {name} has there", missing=True).inside(f".{missing[1]}")
    elif known:
        found = Mismatch(known[0])
    else:
        found = Mismatch(f"{expected[1]}{expected[2] or ''}" if expected else f"as {name} says")
    return found.inside(where[1][1:] if where else "")


def _model(kind: Any) -> Callable[[Json], Any]:
    def read(value: Json) -> Any:
        try:
            return kind.model_validate(value)
        except Exception as error:
            if not hasattr(error, "errors"):
                raise
            told = error.errors(include_input=False, include_url=False, include_context=False)
            flaws = [_model_mismatch(each, kind) for each in told[:MOST]]
        raise together(flaws)

    return read


def _model_mismatch(told: Any, kind: Any) -> Mismatch:
    code = str(told["type"])
    found = Mismatch(f"valid ({code})" if _NAME.fullmatch(code) else "valid")
    found.missing = code == "missing"
    found.steps.extend(reversed(list(_steps(told["loc"], kind))))
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
