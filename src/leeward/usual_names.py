"""Names that home-made multi-cloud clients have: an error that meets one says leeward's own.

``docs/names.md`` explains each. Nothing here does any work but for an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

PAGE = "see docs/names.md"

NAMES = {
    "CloudAgnosticServerless": "`leeward.Client`",
    "invoke_function": "`Client.invoke`",
    "invoke_function_async": "`Client.enqueue`",
    "get_data": "`Client.load_data`",
    "provider": "the environment variable CLOUD_PROVIDER, or the argument `targets`",
}
"""The usual name and what to use instead."""


def hint(name: str) -> str:
    """Return what to add to the message of an error about `name`; often an empty text."""
    return f"; use {NAMES[name]} ({PAGE})" if name in NAMES else ""


class WithUsualNames:
    """The base of both clients: explains the usual names that they lack."""

    if not TYPE_CHECKING:  # a type checker refuses these names itself

        def __new__(cls, *_: Any, **options: Any) -> Any:
            """Refuse the usual arguments with a hint; every other one is left to ``__init__``."""
            for name in options:
                if name in NAMES:
                    raise TypeError(f"{cls.__name__} has no argument {name!r}{hint(name)}")
            return super().__new__(cls)

        def __getattr__(self, name: str) -> Any:
            text = f"{type(self).__name__!r} object has no attribute {name!r}{hint(name)}"
            raise AttributeError(text, name=name, obj=self)
