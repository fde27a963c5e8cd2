"""HTML that is escaped unless it was made here.

An element is a function of its content and its attributes. Content that is not `Html` is text: it
is escaped, and what a reader could not see, or would see in another order, is spelled out. So a
name or an error can hold whatever it likes.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final, TypeAlias

VOID: Final = frozenset({"br", "input", "link", "meta"})
"""Elements without content (HTML Living Standard, 13.1.2), as far as the pages use them."""

LONGEST: Final = 300
"""Characters of a text in a page, where nothing else is said."""


class Html(str):
    """Markup. Whoever makes one of a plain text vouches for it."""

    __slots__ = ()


Content: TypeAlias = "str | int | float | Iterable[Content] | None"
"""What stands in an element: text, markup, numbers, nothing, or several of them."""


def element(name: str, /, *content: Content, **attributes: str | int | bool | None) -> Html:
    """Return an element.

    Args:
        name: of the element.
        content: is escaped where it is not `Html`.
        attributes: values are escaped, and else as they are, for forms send them back. True stands
            for an attribute without a value, False and None for none. ``class_`` becomes ``class``,
            and ``aria_label`` becomes ``aria-label``.
    """
    parts = ["<", name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        parts += [" ", key.rstrip("_").replace("_", "-")]
        if value is not True:
            parts += ['="', escape(str(value)), '"']
    parts.append(">")
    if name not in VOID:
        for part in content:
            _add(part, parts)
        parts += ["</", name, ">"]
    return Html("".join(parts))


def _add(content: Content, parts: list[str]) -> None:
    if isinstance(content, Html):
        parts.append(content)
    elif isinstance(content, str):
        parts.append(text(content))
    elif isinstance(content, int | float):
        parts.append(str(content))
    elif content is not None:
        for part in content:
            _add(part, parts)


def text(value: str, limit: int = LONGEST) -> Html:
    """Return a text as markup: at most so many characters, all of them visible.

    What cannot be seen is spelled out: controls, marks of direction, halves of characters. Line
    breaks and tabs stay.
    """
    cut = value if len(value) <= limit else f"{value[:limit]}… ({len(value):,} characters)"
    return Html(escape(visible(cut)))


def visible(value: str) -> str:
    """Return a text in which nothing is hidden, read in the order of its characters."""
    if value.isprintable():
        return value
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode()
        for char in value
    )


def verbatim(value: str) -> Html:
    """Return a text that a form is to send back as it is, such as what is in a ``textarea``."""
    return Html(escape(value))
