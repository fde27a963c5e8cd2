"""How a setting is found and checked: an option of the target, else a variable.

No message repeats a value that may hold a secret: keys, tokens, connection strings, URLs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from leeward.adapter import TargetConfig
from leeward.errors import ConfigError

_HOST: Final = r"\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?"
_ORIGIN: Final = re.compile(
    # ASCII, or the Kelvin sign would be a k.
    rf"(https?)://({_HOST})(?::([0-9]{{1,5}}))?/?",
    re.ASCII | re.IGNORECASE,
)
_PORTS: Final = {"http": 80, "https": 443}


class Found(NamedTuple):
    """A setting, and for messages where it was found."""

    value: Any
    where: str

    def __repr__(self) -> str:
        """Leave the value out."""
        return f"Found({self.where})"


def find(
    config: TargetConfig, option: str, *variables: str, may_be_empty: bool = False
) -> Found | None:
    """Return a setting: the option, else the first of the variables; None for none.

    Raises:
        ConfigError: the option is an empty text, and must not be. An empty variable counts as
            absent.
    """
    if option in config.options:
        value, where = config.options[option], place(config, option)
        if value == "" and not may_be_empty:
            raise ConfigError(f"{where} is empty: give it a value, or remove it")
        return Found(value, where)
    return variable(config, *variables)


def variable(config: TargetConfig, *names: str) -> Found | None:
    """Return the first of the variables that is set and not empty; None for none."""
    return next((Found(config.env[name], name) for name in names if config.env.get(name)), None)


def text(config: TargetConfig, option: str, *variables: str) -> str | None:
    """Return the text of a setting; None for none."""
    found = find(config, option, *variables)
    return None if found is None else found.value


def matching(found: Found | None, pattern: str, what: str) -> str | None:
    """Return the text of a setting that has a form; None for none.

    Raises:
        ConfigError: it has another form; the message says `what` it must be.
    """
    if found is not None and re.fullmatch(pattern, found.value, re.ASCII) is None:
        raise ConfigError(f"{found.where} must be {what}")
    return None if found is None else found.value


def secret(found: Found | None) -> str | None:
    """Return a key or a token, which a header must be able to carry; None for none.

    Raises:
        ConfigError: it holds white space, such as a line break at the end of a mounted file, or a
            character outside ASCII.
    """
    if found is not None and re.fullmatch(r"[!-~]+", found.value) is None:
        raise ConfigError(
            f"{found.where} holds white space or a character outside ASCII: set it again"
        )
    return None if found is None else found.value


def table(config: TargetConfig, option: str) -> Mapping[str, str]:
    """Return an option that maps names to texts; an empty one for none.

    Raises:
        ConfigError: one of the values is no text, or an empty one.
    """
    entries: Mapping[str, Any] = config.options.get(option, {})
    for name, value in entries.items():
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{name!r} of {place(config, option)} must be a non-empty string")
    return entries


def origin(found: Found, example: str) -> str:
    """Return the origin of a URL that has no path.

    Raises:
        ConfigError: it is something else.
    """
    parts = _ORIGIN.fullmatch(found.value)
    if parts is None or (parts[3] and not 0 < int(parts[3]) < 65536):
        raise ConfigError(
            f"{found.where} must be a scheme, a host and perhaps a port, such as {example}, "
            "without user, path or query"
        )
    scheme, host = parts[1].lower(), parts[2].lower()
    usual = not parts[3] or int(parts[3]) == _PORTS[scheme]
    return f"{scheme}://{host}" + ("" if usual else f":{int(parts[3])}")


def place(config: TargetConfig, option: str) -> str:
    """Return where an option stands."""
    return f"{option!r} in {config.section}"


def exclusive(one: Found | None, other: Found | None) -> None:
    """Refuse two settings that say the same thing.

    Raises:
        ConfigError: both are there.
    """
    if one is not None and other is not None:
        raise ConfigError(f"{one.where} and {other.where} exclude each other: remove one of them")


def refuse_idle(config: TargetConfig, options: tuple[str, ...], needed: str) -> None:
    """Refuse an option that has no effect because the one that it goes with is missing.

    Raises:
        ConfigError: names both.
    """
    for option in options:
        if option in config.options:
            raise ConfigError(f"{place(config, option)} has no effect without {needed}")


def switch(found: Found | None) -> Found | None:
    """Return a setting that is on; None for one that is off, or is not there.

    Raises:
        ConfigError: it is neither.
    """
    if found is None or found.value is True:
        return found
    word = str(found.value).lower()
    if word not in ("true", "false"):
        raise ConfigError(f"{found.where} must be true or false")
    return found if word == "true" else None
