"""Decode a provider's native document: the item, and what leeward keeps beside it.

One walk makes plain values of native ones, and spells them for the digest. A second one makes the
item of plain values and the type tree, where there is anything to do (`typetree.Merge`).
"""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache, wraps
from math import isfinite
from typing import TYPE_CHECKING, Any, Concatenate, Final, NamedTuple, ParamSpec, TypeVar

from leeward.calls import UnreadableItem
from leeward.items.digest import CONSTANTS, digest
from leeward.items.exact import exact_item
from leeward.items.names import ESCAPE, RESERVED
from leeward.items.typetree import NUMBERS, Merge

if TYPE_CHECKING:
    from leeward.items.profile import Profile, TypedJson
    from leeward.values import Item

_T = TypeVar("_T")
_P = ParamSpec("_P")

SHORT_TREE: Final = 1000
"""Characters of a type tree that is kept, for the items to come."""


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


def _guarded(
    read: Callable[Concatenate[dict[str, Any], _P], _T],
) -> Callable[Concatenate[dict[str, Any], _P], _T]:
    """Have a reader of documents raise `UnreadableItem`, whatever is wrong with one."""

    @wraps(read)
    def guarded(native: dict[str, Any], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
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

    return guarded


@_guarded
def decode(native: dict[str, Any], profile: Profile, *, exact: bool = False) -> Decoded:
    """Return what a native document holds; the provider's own attributes of it are ignored.

    Args:
        native: the document.
        profile: whose document.
        exact: whether what another program has written is kept with its native types: see
            `leeward.items.natives`.

    Raises:
        UnreadableItem: it holds a type that the provider does not document, or a type tree that
            does not suit it.
    """
    reader = _Reader(profile)
    ours = reader.reserved(native)
    types, write_id, seconds = ours.get("t"), ours.get("w"), ours.get("e")
    if type(types) is not str:
        types = None
    item, spelling = reader.read(native, profile.typed_json, top=True)
    told = digest(spelling, types)
    known = ours.get("d") == told and _is_utf8(spelling)
    tree = _tree_in(types) if known and types is not None else None
    is_all = types is None and len(item) == len(native)
    lost: tuple[str, ...] = ()
    if exact and not known:
        item, lost = exact_item(native, profile)
    elif tree is not None or not reader.is_item:
        item = Merge(profile, known).container(item, tree, top=True)
    return Decoded(
        item,
        write_id=write_id if type(write_id) is str else None,
        expires_at=_seconds(seconds) if type(seconds) in NUMBERS else None,
        foreign=not known,
        digest=told if is_all else None,
        lost=lost,
    )


@_guarded
def digest_of(native: dict[str, Any], profile: Profile) -> str:
    """Return a digest of all that is in a native document, whoever has written it.

    Raises:
        UnreadableItem: it holds a type that the provider does not document.
    """
    return digest(_Reader(profile).read(native, profile.typed_json)[1], None)


def _tree_in(types: str) -> Any:
    """Return the type tree of a text; items that are alike have the same one, and share it."""
    return _short_tree(types) if len(types) <= SHORT_TREE else json.loads(types)


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

    def reserved(self, native: dict[str, Any]) -> dict[str, Any]:
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

        Args:
            native: a dict or list.
            json_of: how the values inside name their types; None where they are plain.
            top: whether it is the document itself, of which what is leeward's or the provider's is
                left out.

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
                    plain = _converted(label, plain, json_of)
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
        value = _converted(label, value, json_of)
    return label, value


def _converted(label: str, value: Any, json_of: TypedJson) -> Any:
    """Return the plain value of one that does not stand for itself."""
    read = json_of.read.get(label)
    if read is None:
        raise UnreadableItem(
            f"the document has a value of type {label[:40]!r} that its provider does not document"
        )
    return read(value)
