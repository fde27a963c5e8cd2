"""Decode a provider's native document: the item, and what leeward keeps beside it.

One walk makes plain values of native ones, and spells them for the digest. A second one makes the
item of plain values and the type tree, where there is anything to do (`typetree.Merge`). An exact
read loses nothing of what another program has written: it has a `NativeValue` where one is needed.
"""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache, wraps
from math import isfinite
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

from leeward._items.encoding import CONSTANTS, LEAVES, NativeValue, digest, without_natives
from leeward._items.names import ESCAPE, RESERVED, escape_name, unescape_name
from leeward._items.profile import Profile, TypedJson, by_value
from leeward._items.typetree import NUMBERS, Merge
from leeward.calls import UnreadableItem
from leeward.records import NamedTuple

if TYPE_CHECKING:
    from leeward.values import Item


SHORT_TREE: Final = 1000  # characters of a type tree that is kept, for the items to come


class Decoded(NamedTuple):
    """What a native document holds.

    Attributes:
        item: exactly what was encoded, unless `foreign`.
        write_id: of the write that leeward made last; None where it made none.
        expires_at: Unix seconds, as of that write; None for never.
        foreign: True where another program has written since, or alone: numbers are then int where
            integral, else Decimal, and other values as the provider holds them.
        digest: of all that is in the document, if that is the item alone; else None.
        lost: what of the document is not in the item of an exact read.
    """

    item: Item
    write_id: str | None
    expires_at: float | None
    foreign: bool
    digest: str | None = None
    lost: tuple[str, ...] = ()


def _guard(
    read: Callable[Concatenate[dict[str, Any], _P], _T],
) -> Callable[Concatenate[dict[str, Any], _P], _T]:
    """Raise `UnreadableItem` from a reader of documents, whatever is wrong with one."""

    @wraps(read)
    def guard(native: dict[str, Any], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        flaw = "it is not an object"
        try:
            if type(native) is dict:
                return read(native, *args, **kwargs)
        except UnreadableItem:
            raise
        except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
            flaw = type(error).__name__
        # Out here, because the errors above carry values, and would go along as the context.
        raise UnreadableItem(f"the document cannot be read: {flaw}")

    return guard


@_guard
def decode(native: dict[str, Any], profile: Profile, *, exact: bool = False) -> Decoded:
    """Return what a native document holds; the provider's own attributes of it are ignored.

    Args:
        native: the document.
        profile: whose document.
        exact: whether what another program has written is kept with its native types: see
            `leeward._items.encoding`.

    Raises:
        UnreadableItem: it holds a type that the provider does not document, or a type tree that
            does not suit it.
    """
    reader = _Reader(profile)
    ours = reader.read_reserved(native)
    types, write_id, seconds = ours.get("t"), ours.get("w"), ours.get("e")
    if type(types) is not str:
        types = None
    item, spelling = reader.read(native, profile.typed_json, top=True)
    actual = digest(spelling, types)
    is_ours = ours.get("d") == actual and _is_utf8(spelling)
    tree = None
    if is_ours and types is not None:  # items that are alike have the same tree, and share it
        tree = _short_tree(types) if len(types) <= SHORT_TREE else json.loads(types)
    is_all = types is None and len(item) == len(native)
    lost: tuple[str, ...] = ()
    if exact and not is_ours:
        item, lost = exact_item(native, profile)
    elif tree is not None or not reader.is_item:
        item = Merge(profile, is_ours).container(item, tree, top=True)
    return Decoded(
        item,
        write_id=write_id if type(write_id) is str else None,
        expires_at=_seconds(seconds) if type(seconds) in NUMBERS else None,
        foreign=not is_ours,
        digest=actual if is_all else None,
        lost=lost,
    )


@_guard
def digest_of(native: dict[str, Any], profile: Profile) -> str:
    """Return a digest of all that is in a native document, whoever has written it.

    Raises:
        UnreadableItem: it holds a type that the provider does not document.
    """
    return digest(_Reader(profile).read(native, profile.typed_json)[1], None)


@lru_cache(maxsize=256)
def _short_tree(types: str) -> Any:
    return json.loads(types)


def _seconds(number: Any) -> float | None:
    """Return a time that another program may have written; None where it is something else."""
    try:
        seconds = float(number)
    except OverflowError:
        return None
    return seconds if isfinite(seconds) else None


def _is_utf8(text: str) -> bool:
    """Return whether there is no half of a surrogate pair, which no item of leeward's holds."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Reader:
    """Makes plain values of native ones.

    Attributes:
        is_item: whether all that was read stands for itself: no name is an escape, no number has a
            fraction. Then, without a type tree, there is nothing left to do.
    """

    _dict = _list = None

    def __init__(self, profile: Profile) -> None:
        self.is_item = True
        self._profile = profile
        self._json = profile.typed_json
        if self._json is not None:
            self._dict, self._list = self._json.write[dict][0], self._json.write[list][0]

    def read_reserved(self, native: dict[str, Any]) -> dict[str, Any]:
        """Return the plain members of leeward's own attribute, where it is a map."""
        ours = native.get(RESERVED)
        if ours is not None and self._json is not None:
            label, ours = _member(ours, self._json)
            if label != self._dict:
                return {}
            return {name: _member(value, self._json)[1] for name, value in ours.items()}
        return ours if type(ours) is dict else {}

    def read(  # noqa: C901, PLR0912, PLR0915 - leaves stand inline: each call costs as much again
        self, native: dict[str, Any] | list[Any], json_of: TypedJson | None, *, top: bool = False
    ) -> tuple[Any, str]:
        """Read all of a container.

        Returns:
            A dict or list of plain values, and its spelling for the digest.
        """
        is_dict = type(native) is dict
        numbers, system_names = self._profile.numbers, self._profile.system_names
        integers, label = numbers.integers, ""
        plains: dict[Any, Any] = {}  # by name or index, as is the next one
        spellings: dict[Any, str] = {}
        members: Any = native.items() if type(native) is dict else enumerate(native)
        for key, value in members:
            if top and (key in system_names or key.startswith(RESERVED)):
                continue
            plain = value
            if json_of is not None:
                (label,) = value
                plain = value[label]
                if json_of.same.get(label) is not type(plain):
                    plain = _convert(label, plain, json_of)
            kind = type(plain)
            if kind is str:
                spelling = f"s{len(plain)}:{plain}"
            elif kind is int and (integers is None or plain in integers):
                spelling = f"n{plain};"
            elif kind is bool or plain is None:
                spelling = CONSTANTS[plain]
            elif kind is dict:
                plain, spelling = self.read(plain, json_of if label == self._dict else None)
            elif kind is list:
                plain, spelling = self.read(plain, json_of if label == self._list else None)
            elif kind is float and not plain.is_integer():
                spelling = f"n{plain!r};"
                self.is_item = False
            elif kind is bytes:
                spelling = f"b{b2a_base64(plain, newline=False).decode('ascii')};"
            elif kind is datetime:
                spelling = f"t{plain.isoformat()};"
            else:
                spelling = f"n{numbers.spell(plain)};"
                self.is_item = False
            if is_dict:
                spelling = f"{len(key)}:{key}{spelling}"
                if key[:1] == ESCAPE:
                    self.is_item = False
            plains[key] = plain
            spellings[key] = spelling
        if is_dict:
            ordered = map(spellings.__getitem__, sorted(spellings))
            return plains, f"m{len(plains)};{''.join(ordered)}"
        return list(plains.values()), f"l{len(plains)};{''.join(spellings.values())}"


def _member(native: Any, json_of: TypedJson) -> tuple[str, Any]:
    """Return the name of a value's type, and its plain value, or the native ones inside it."""
    (label,) = native
    value = native[label]
    if json_of.same.get(label) is not type(value):
        value = _convert(label, value, json_of)
    return label, value


def _convert(label: str, value: Any, json_of: TypedJson) -> Any:
    """Return the plain value of one that does not stand for itself."""
    read = json_of.read.get(label)
    if read is None:
        raise UnreadableItem(
            f"the document has a value of type {label[:40]!r} that its provider does not document"
        )
    return read(value)


_SAME: Final = (str, bool, type(None), bytes)
"""Types whose values are written again as they were read."""

RENAMED: Final = "the name of an attribute"
"""What no line has: at the top of a document nothing can stand in the place of all attributes."""


def exact_item(native: dict[str, Any], profile: Profile) -> tuple[Item, tuple[str, ...]]:
    """Return the item of a document of another program, and what of the document is not in it."""
    members = {
        name: value
        for name, value in native.items()
        if name not in profile.system_names and not name.startswith(RESERVED)
    }
    item = _members(members, profile, top=True)
    same = {escape_name(name, profile, top=True) for name in item} == members.keys()
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
                return NativeValue(profile.name, {label: raw}, _plain(value))
        containers = json_of.write[dict][0], json_of.write[list][0]
    if type(value) is dict and label == containers[0]:
        inner = _members(value, profile)
        if {escape_name(name, profile, top=False) for name in inner} == value.keys():
            return inner
        return NativeValue(profile.name, native, without_natives(inner))
    if type(value) is list and label == containers[1]:
        inside = [_value(element, profile) for element in value]
        if profile.nested_lists:
            return inside
        return [
            NativeValue(profile.name, raw, without_natives(inner)) if type(inner) is list else inner
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
    """Return the plain value of one that is written again as it was read; else a `NativeValue`."""
    kind, integers, json_of = type(value), profile.numbers.integers, profile.typed_json
    if kind in _SAME:
        return value
    if kind is float and not isfinite(value):
        return NativeValue(profile.name, native, None)
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
    return NativeValue(profile.name, raw, plain)


_T = TypeVar("_T")
_P = ParamSpec("_P")
