"""The URL of a proxy, which often has a password in it: it is read here, and told nowhere. Pure."""

from __future__ import annotations

import re
from typing import Final

from leeward.errors import ConfigError

# The schemes are those that libcurl knows; without one it means http. Nothing is left open that
# libcurl could read in another way, or complain of in words that hold the URL.
_PROXY: Final = (
    r"(?:(?:https?|socks5h?|socks4a?|socks)://)?"
    r"(?:(?P<login>(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*)@)?"
    r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?/?"
)


def check_proxy(url: str, where: str) -> str:
    """Check the URL of a proxy and return it.

    Args:
        url: as it was set.
        where: it was set, for the message. That never repeats the URL.

    Raises:
        ConfigError: it is not one.
    """
    match = re.fullmatch(_PROXY, url, re.IGNORECASE)
    if match is None or not 0 < int(match["port"] or 1) < 65536:
        raise ConfigError(
            f"{where} is not the URL of a proxy; write http://host:port or "
            "http://user:password@host:port, and percent-encode what is special in user and "
            "password, such as / as %2F and @ as %40"
        )
    return url


def without_login(words: str, proxy: str | None) -> str:
    """Return what libcurl says of a connection, or that it is left out if it tells a password.

    Args:
        words: of libcurl, which may be cut.
        proxy: the URL that the connection goes through.
    """
    match = None if proxy is None else re.fullmatch(_PROXY, proxy, re.IGNORECASE)
    told = words.casefold()
    if match is not None and any(each[:8].casefold() in told for each in _secrets(match["login"])):
        return "libcurl's words are left out, because they repeat the login of the proxy"
    return words


def _secrets(login: str | None) -> list[str]:
    from urllib.parse import unquote

    parts = [login or "", *(login or "").partition(":")[::2]]
    return [each for part in parts for each in (part, unquote(part)) if each]
