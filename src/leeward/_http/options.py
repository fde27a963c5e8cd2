"""How a transport is set up, and what the environment has to say about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os.path import isfile
from typing import Final

from leeward.errors import ConfigError
from leeward.masking import show_only
from leeward.records import NamedTuple

CA_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL and their kin
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, FreeBSD, OpenBSD
)
"""Where systems keep the certificates that they trust. The first that is there counts."""

PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
"""Variables that name a proxy for https. The first that is set counts."""


@show_only(
    "ca_file no_proxy max_in_flight max_waiting connect_timeout max_response_bytes "
    "max_header_bytes max_idle max_age public_only client_certificate"
)
class TransportOptions(NamedTuple):
    """The settings of a transport. All of them are explicit: a transport reads no environment.

    Attributes:
        ca_file: the certificates to trust, PEM. Verification cannot be switched off.
        proxy: URL of a proxy for https origins; http ones are local and always reached directly.
        no_proxy: hosts to reach without it: names and suffixes with commas between, or ``*``.
        max_in_flight: requests under way at once; the next one waits until one of them is done.
        max_waiting: requests that wait for that at once; the next one is refused.
        connect_timeout: seconds for name, connection and TLS together, within the deadline.
        max_response_bytes: the largest body, before and after decompression.
        max_header_bytes: the largest header block; libcurl itself stops at 300 KiB.
        max_idle: seconds after which a connection that lay idle is not used again.
        max_age: seconds after which a connection is replaced, so that a DNS change is followed.
        public_only: connect to addresses on the public internet alone, whatever a name resolves to.
        client_certificate: a PEM file that is shown to servers that ask for one; None for none.
        client_key: the PEM file with its key, without a password; None if it is in the same file.
    """

    ca_file: str | None = None
    proxy: str | None = None
    no_proxy: str | None = None
    max_in_flight: int = 64
    max_waiting: int = 1024
    connect_timeout: float = 1.5
    max_response_bytes: int = 20 * 1024 * 1024
    max_header_bytes: int = 64 * 1024
    max_idle: int = 50
    max_age: int = 300
    public_only: bool = False
    client_certificate: str | None = None
    client_key: str | None = None


def options_from_env(env: Mapping[str, str], ca_file: str | None = None) -> TransportOptions:
    """Return the options that `env` asks for; give it an empty `env` to trust nothing of it.

    Without a `ca_file` the certificates are those of SSL_CERT_FILE, of the system, or of certifi.
    Raise `ConfigError` for a variable that does not hold the URL of a proxy.
    """
    proxy = next((name for name in PROXIES if env.get(name)), None)
    return TransportOptions(
        ca_file=ca_file
        or env.get("SSL_CERT_FILE")
        or next(filter(isfile, CA_FILES), None)
        or _certifi(),
        proxy=check_proxy(env[proxy], proxy) if proxy else None,
        no_proxy=env.get("NO_PROXY") or env.get("no_proxy") or None,
    )


def refuse_key_log(env: Mapping[str, str]) -> None:
    """Refuse a process whose environment has libcurl write down the keys of its connections.

    For the hardened mode. libcurl opens the file that SSLKEYLOGFILE names with the first connection
    over TLS and offers no option against it; to change the environment of the whole process would
    not be a library's business.
    """
    if env.get("SSLKEYLOGFILE"):
        raise ConfigError(
            "SSLKEYLOGFILE is set, so the keys of every TLS connection would be written to a file; "
            "unset it, because trust_env is false"
        )


def _certifi() -> str | None:
    try:
        from certifi import where
    except ImportError:
        return None
    return where()


# The schemes are those that libcurl knows; without one it means http. Nothing is left open that
# libcurl could read in another way, or complain of in words that hold the URL.
_PROXY: Final = (
    r"(?:(?:https?|socks5h?|socks4a?|socks)://)?"
    r"(?:(?P<login>(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*)@)?"
    r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?/?"
)


def check_proxy(url: str, where: str) -> str:
    """Check the URL of a proxy and return it; the message never repeats it."""
    match = re.fullmatch(_PROXY, url, re.IGNORECASE)
    if match is None or not 0 < int(match["port"] or 1) < 65536:
        raise ConfigError(
            f"{where} is not the URL of a proxy; write http://host:port or "
            "http://user:password@host:port, and percent-encode what is special in user and "
            "password, such as / as %2F and @ as %40"
        )
    return url


def without_login(words: str, proxy: str | None) -> str:
    """Return what libcurl says of a connection, or that it is left out if it tells a password."""
    match = None if proxy is None else re.fullmatch(_PROXY, proxy, re.IGNORECASE)
    lower = words.casefold()
    if match is not None and any(
        secret[:8].casefold() in lower for secret in _secrets(match["login"])
    ):
        return "libcurl's words are left out, because they repeat the login of the proxy"
    return words


def _secrets(login: str | None) -> list[str]:
    from urllib.parse import unquote

    parts = [login or "", *(login or "").partition(":")[::2]]
    return [secret for part in parts for secret in (part, unquote(part)) if secret]
