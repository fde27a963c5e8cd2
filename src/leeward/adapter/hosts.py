"""URLs that are configured, and which hosts they may name: where a credential goes, and hardened.

In the hardened mode an endpoint is https, on a host that the cloud itself or the operator's own
list vouches for. What a name resolves to is looked at when connecting
(`leeward._http.addresses`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from leeward.errors import ConfigError
from leeward.records import NamedTuple

if TYPE_CHECKING:
    from leeward.adapter import TargetConfig
    from leeward.adapter.options import Check, Setting, Values

_HOST: Final = r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_URL: Final = rf"(https?)://({_HOST})(?::([0-9]{{1,5}}))?(/[!\"$->@-\[\]-~]*)?(\?[!\"$-\[\]-~]*)?"
"""Without user, fragment and backslash."""

_PORTS: Final = {"http": 80, "https": 443}

_STEP: Final = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+"
PATH: Final = rf"{_STEP}(?:/{_STEP})*"
"""A path without its first slash, without escapes, and without the steps ``.`` and ``..``."""

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME: Final = rf"((?:{_LABEL}\.)*[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?)(?::([0-9]{{1,5}}))?"
"""A host's name, perhaps with a port. The last label begins with a letter, so that no notation of
an IP address is one: ``127.1``, ``0x7f000001`` and ``2130706433`` all end in a number."""


class Url(NamedTuple):
    """A URL in its parts.

    Attributes:
        origin: as a request has it: in lower case, without the scheme's usual port.
        host: of it, without a port; an address of IPv6 in its brackets.
        path: empty, or from the first slash on.
        query: empty, or from the question mark on.
    """

    origin: str
    host: str
    path: str
    query: str

    def __repr__(self) -> str:
        """Leave path and query out."""
        return f"Url({self.origin!r})"


def url_of(text: str) -> Url | None:
    """Return the parts of a URL over http or https; None for anything else."""
    # ASCII, or the Kelvin sign would be a k.
    parts = re.fullmatch(_URL, text, re.ASCII | re.IGNORECASE)
    if parts is None or (parts[3] and not 0 < int(parts[3]) < 65536):
        return None
    scheme, host = parts[1].lower(), parts[2].lower()
    usual = not parts[3] or int(parts[3]) == _PORTS[scheme]
    port = "" if usual else f":{int(parts[3])}"
    return Url(f"{scheme}://{host}{port}", host, parts[4] or "", parts[5] or "")


def parse_url(setting: Setting, example: str) -> Url:
    """Return the parts of a URL that may have a path; the path's last slash is left out.

    Raises:
        ConfigError: it is something else.
    """
    url = url_of(setting.value)
    if url is None or url.query or re.fullmatch(rf"/?|/{PATH}/?", url.path) is None:
        raise ConfigError(
            f"{setting.where} must be a URL such as {example}, without user, query or escapes"
        )
    return url._replace(path=url.path.rstrip("/"))


def origin_of(setting: Setting, example: str) -> str:
    """Return the origin of a URL that has no path.

    Raises:
        ConfigError: it is something else.
    """
    url = url_of(setting.value)
    if url is None or url.path not in ("", "/") or url.query:
        raise ConfigError(
            f"{setting.where} must be a scheme, a host and perhaps a port, such as {example}, "
            "without user, path or query"
        )
    return url.origin


def origin_below(domain: str) -> Check:
    """Return a check for an option: the origin of a service that gets a credential.

    With the environment trusted that is any host over https, or this machine over http. In the
    hardened mode it is https, and `domain` itself, a name below it, or one of `allowed_hosts`.
    """

    def check(setting: Setting, values: Values) -> str:
        origin = origin_of(setting, f"https://{domain}")
        is_own = f".{origin.partition('://')[2]}".endswith(f".{domain}")
        check_host(origin, setting.where, values.config, is_own=is_own, whose=f"below {domain}")
        check_token_goes_safely(origin, setting.where)
        return origin

    return check


def check_host(origin: str, where: str, config: TargetConfig, *, is_own: bool, whose: str) -> None:
    """Refuse, in the hardened mode, an endpoint that nobody vouches for.

    Args:
        origin: as a request has it.
        where: where it was configured, for the message.
        config: of the target; its option `allowed_hosts` lists hosts, or ``host:port`` where the
            port is another than 443.
        is_own: the cloud answers under this host.
        whose: what hosts are the cloud's own, for the message.

    Raises:
        ConfigError: it is not https, or its host is on neither list.
    """
    if config.trust_env:
        return
    scheme, _, place = origin.partition("://")
    if scheme != "https":
        raise ConfigError(f"{where} must be an https URL, because trust_env is false")
    if not is_own and place not in allowed_hosts(config):
        raise ConfigError(
            f"{where} names a host that is not {whose}; with trust_env = false, list it in "
            f"allowed_hosts of {config.section}, with its port if that is not 443"
        )


def check_token_goes_safely(origin: str, where: str) -> None:
    """Refuse to send a token, or a key, in clear text to another machine.

    Raises:
        ConfigError: the origin is http and not this machine.
    """
    if goes_in_clear(origin):
        raise ConfigError(
            f"{where} must be an https URL: over http a credential would go in clear text; only "
            "an emulator on this machine may be asked so"
        )


def goes_in_clear(origin: str) -> bool:
    """Return whether a request to `origin` can be read on its way."""
    scheme, _, place = origin.partition("://")
    return scheme == "http" and not is_this_machine(place)


def is_this_machine(place: str) -> bool:
    """Return whether a host, perhaps with a port, is a loopback address or ``localhost``."""
    from ipaddress import ip_address

    host = place.partition("]")[0].strip("[") if "[" in place else place.partition(":")[0]
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def allowed_hosts(config: TargetConfig) -> frozenset[str]:
    """Return what the option `allowed_hosts` lists.

    Raises:
        ConfigError: an entry is not the name of a host.
    """
    where = f"'allowed_hosts' in {config.section}"
    return frozenset(_place(entry, where) for entry in config.options.get("allowed_hosts", ()))


def _place(entry: Any, where: str) -> str:
    parts = re.fullmatch(_NAME, entry.lower()) if isinstance(entry, str) else None
    if parts is None or not entry.isascii() or not 0 < int(parts[2] or 443) < 65536:
        raise ConfigError(
            f"{where} must hold names of hosts, such as proxy.example.com or "
            "proxy.example.com:8443; no addresses, no URLs"
        )
    port = int(parts[2] or 443)
    return parts[1] if port == 443 else f"{parts[1]}:{port}"
