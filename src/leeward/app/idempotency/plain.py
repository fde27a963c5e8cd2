"""A result as a table can keep it: plain data, which is what goes over the wire too."""

from __future__ import annotations

from typing import Any

_AS_THEY_ARE = frozenset({str, int, float, bool, bytes, type(None)})


def plain_of(value: Any) -> Any:
    """Return `value` with dicts for dataclasses, structs and models, and lists for tuples.

    What else it holds is left as it is; the table may refuse it.
    """
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is dict:
        return {name: plain_of(each) for name, each in value.items()}
    if kind is list or kind is tuple:
        return [plain_of(each) for each in value]
    fields = fields_of(value)
    return value if fields is None else {name: plain_of(each) for name, each in fields.items()}


def fields_of(value: Any) -> dict[str, Any] | None:
    """Return the fields of a dataclass, a struct of msgspec or a model of pydantic; else None."""
    for names in ("__dataclass_fields__", "__struct_fields__"):
        fields = getattr(value, names, None)
        if fields is not None:
            return {name: getattr(value, name) for name in fields}
    dump = getattr(value, "model_dump", None)
    return dump() if callable(dump) else None
