"""Read what another program has written without a loss: with a `Native` where one is needed."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from leeward.calls import UnreadableItem
from leeward.items.encoding import LEAVES
from leeward.items.names import RESERVED, escape_name, unescape_name
from leeward.items.natives import Native, without_natives
from leeward.items.numbers import by_value

if TYPE_CHECKING:
    from leeward.items.profile import Profile
    from leeward.values import Item

_SAME: Final = (str, bool, type(None), bytes)
"""Types whose values are written again as they were read."""


RENAMED: Final = "the name of an attribute"
"""What no line has: at the top of a document nothing can stand in the place of all attributes."""


def exact_item(native: dict[str, Any], profile: Profile) -> tuple[Item, tuple[str, ...]]:
    """Return the item of a document of another program, and what of the document is not in it.

    Raises:
        UnreadableItem: it holds a type that the provider does not document.
    """
    own = {
        name: value
        for name, value in native.items()
        if name not in profile.system_names and not name.startswith(RESERVED)
    }
    item = _members(own, profile, top=True)
    same = {escape_name(name, profile, top=True) for name in item} == own.keys()
    return item, () if same else (RENAMED,)


def _members(natives: dict[str, Any], profile: Profile, *, top: bool = False) -> Item:
    names = {name: unescape_name(name, profile, top=top) for name in natives}
    if len({*names.values()}) < len(names):
        names = {name: name for name in natives}  # none may be lost
    return {names[name]: _value(value, profile) for name, value in natives.items()}


def _value(native: Any, profile: Profile) -> Any:
    json_of, label, value, containers = profile.typed_json, "", native, ("", "")
    if json_of is not None:
        (label,) = native
        value = native[label]
        if json_of.same.get(label) is not type(value):
            if label not in json_of.read:
                raise UnreadableItem("a value of the document has a type that is not documented")
            value = json_of.read[label](value)
        if label in json_of.kept:
            raw = json_of.kept[label](native[label], value)
            if raw is not None:
                return Native(profile.name, {label: raw}, _plain(value))
        containers = json_of.write[dict][0], json_of.write[list][0]
    if type(value) is dict and label == containers[0]:
        inner = _members(value, profile)
        if {escape_name(name, profile, top=False) for name in inner} == value.keys():
            return inner
        return Native(profile.name, native, without_natives(inner))
    if type(value) is list and label == containers[1]:
        inside = [_value(each, profile) for each in value]
        if profile.nested_lists:
            return inside
        return [
            Native(profile.name, raw, without_natives(inner)) if type(inner) is list else inner
            for raw, inner in zip(value, inside, strict=True)
        ]
    return _leaf(native, label, value, profile)


def _plain(value: Any) -> Any:
    """Return what `load_data` returns of a value that was read."""
    if type(value) is dict:
        return {name: _plain(inner) for name, inner in value.items()}
    if type(value) is list:
        return [*map(_plain, value)]
    return by_value(value) if type(value) is float else value


def _leaf(native: Any, label: str, value: Any, profile: Profile) -> Any:
    """Return the plain value of one that is written again as it was read; else a `Native`."""
    kind, integers, json_of = type(value), profile.numbers.integers, profile.typed_json
    if kind in _SAME:
        return value
    if kind is float and not isfinite(value):
        return Native(profile.name, native, None)
    plain = by_value(value) if kind is float else value
    if type(plain) is int:
        same = kind is int and (integers is None or value in integers)
    else:
        held_as, held, node, _ = LEAVES[type(plain)](plain, profile)
        same = held_as is kind and held == value and node is None
        same = same and (json_of is None or json_of.write[kind][0] == label)
    if same:
        return plain
    raw = {label: value} if kind is float and json_of is not None else native  # 1 may stand for 1.0
    return Native(profile.name, raw, plain)
