"""Which hosts an endpoint may name: in the hardened mode, and wherever a credential goes.

The same for every cloud: https, and a host that the cloud itself or the operator's own list
vouches for. What a name resolves to is looked at when connecting (`leeward.http.public_addresses`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from leeward.errors import ConfigError

if TYPE_CHECKING:
    from leeward.adapter import TargetConfig

HARDENING: Final = ("allowed_hosts", "allow_private")
"""The options that widen the hardened mode: a list of hosts, and private addresses."""

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME: Final = rf"((?:{_LABEL}\.)*[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?)(?::([0-9]{{1,5}}))?"
"""A host's name, perhaps with a port. The last label begins with a letter, so that no notation of
an IP address is one: ``127.1``, ``0x7f000001`` and ``2130706433`` all end in a number."""


def check_host(origin: str, where: str, config: TargetConfig, *, own: bool, whose: str) -> None:
    """Refuse an endpoint that neither the cloud nor the operator's own list vouches for.

    Args:
        origin: as a request has it.
        where: where it was configured, for the message.
        config: of the target; its option `allowed_hosts` lists hosts, or ``host:port`` where the
            port is another than 443.
        own: the cloud answers under this host.
        whose: what hosts are the cloud's own, for the message.

    Raises:
        ConfigError: it is not https, or its host is on neither list.
    """
    scheme, _, place = origin.partition("://")
    if scheme != "https":
        raise ConfigError(f"{where} must be an https URL, because trust_env is false")
    if not own and place not in _allowed(config):
        raise ConfigError(
            f"{where} names a host that is not {whose}; with trust_env = false, list it in "
            f"allowed_hosts of {config.section}, with its port if that is not 443"
        )


def check_hardening(config: TargetConfig) -> None:
    """Refuse a wrong list, and an option that would have no effect.

    Raises:
        ConfigError: names the option and the remedy.
    """
    present = [option for option in HARDENING if option in config.options]
    if present and config.trust_env:
        raise ConfigError(
            f"{present[0]!r} in {config.section} has no effect while trust_env is true; "
            "set trust_env = false, or remove it"
        )
    _allowed(config)


def check_token_goes_safely(origin: str, where: str) -> None:
    """Refuse to send a token, or a key, in clear text to another machine.

    Raises:
        ConfigError: the origin is http and not this machine.
    """
    scheme, _, place = origin.partition("://")
    if scheme == "http" and not is_this_machine(place):
        raise ConfigError(
            f"{where} must be an https URL: over http a credential would go in clear text; only "
            "an emulator on this machine may be asked so"
        )


def is_this_machine(place: str) -> bool:
    """Return whether a host, perhaps with a port, is a loopback address or ``localhost``."""
    from ipaddress import ip_address

    host = place.partition("]")[0].strip("[") if "[" in place else place.partition(":")[0]
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _allowed(config: TargetConfig) -> frozenset[str]:
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
