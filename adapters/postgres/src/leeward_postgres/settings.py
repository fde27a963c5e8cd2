"""The settings of one PostgreSQL target.

What no option says is for libpq to find: its variables (`PGHOST`, `PGPASSWORD` and the others), its
service file and its password file. In the hardened mode it finds nothing: each parameter that a
variable could set is set here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from leeward.adapter import TargetConfig
from leeward.adapter.options import Check, Option, Setting, Values, matching, read_options
from leeward.errors import ConfigError

VERIFIED: Final = "verify-full"
_GIVEN_UP: Final = {
    **dict.fromkeys(("disable", "allow", "prefer"), ("encryption",)),
    **dict.fromkeys(("require", "verify-ca"), ("identity", "encryption")),
    VERIFIED: (None, "identity", "encryption"),
}
"""What has to be given up for a mode of libpq. `verify-ca` takes any server of an authority."""
MOST_CONNECTIONS: Final = 1000
CONNECT_SECONDS: Final = 10  # for one host; the call's own time is over before, most often

_SCHEMES: Final = ("postgresql", "postgres")


def _url(setting: Setting, values: Values) -> str:
    text: str = setting.value
    try:
        parts = urlsplit(text)
        query = parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        parts, query = urlsplit(""), {}
    if parts.scheme not in _SCHEMES:
        raise ConfigError(
            f"{setting.where} must look like postgresql://user@host:5432/database; percent-encode "
            "what is special in a password"
        )
    if "service" in query and not values.config.trust_env:
        raise ConfigError(
            f"{setting.where} names a service, whose file trust_env = false refuses; name the host"
        )
    mode = query.get("sslmode", [None])[-1]
    if mode is not None and "sslmode" in values.config.options:
        raise ConfigError(f"{setting.where} has an sslmode, as its section has: remove one of them")
    return text


def _one_of(*words: str) -> Check:
    return matching("|".join(words), f"one of {', '.join(words)}")


def _pool_size(setting: Setting, values: Values) -> int:
    del values
    if isinstance(setting.value, bool) or not 1 <= setting.value <= MOST_CONNECTIONS:
        raise ConfigError(f"{setting.where} must be from 1 to {MOST_CONNECTIONS}")
    return int(setting.value)


OPTIONS: Final = (
    Option("url", "`postgresql://user@host/database`, with more of libpq's parameters behind a `?`",
           check=_url),
    Option("password", "of the role, where the `url` has none", secret=True, may_be_empty=False),
    Option("sslmode", "libpq's; `verify-full`, unless the server is on this machine",
           check=_one_of(*_GIVEN_UP)),
    Option("gives_up", "`identity`: whoever poses as the server may have the password and each "
           "row; `encryption`: so may everybody on the way. Allows a weaker `sslmode`",
           check=_one_of("identity", "encryption")),
    Option("sslrootcert", "a file of certificates to trust; `system` for the system's own"),
    Option("schema", "where leeward's tables are", default="leeward",
           check=matching("[A-Za-z_][A-Za-z0-9_]{0,62}", "a name of letters, digits and '_'")),
    Option("pool_size", "connections at most, of each process", type=int, default=10,
           check=_pool_size),
)  # fmt: skip
"""Everything that a section may say."""

_DEFAULTS: Final = {"min_protocol_version": "3.0", "max_protocol_version": "3.0"}
"""What stands for libpq's own default, where it has no name for it and takes no empty text."""

_ROOT: Final = Path("~/.postgresql/root.crt").expanduser()
"""Where libpq looks for authorities that nothing names."""

_NO_FILE: Final = os.path.join(os.devnull, "none")  # noqa: PTH118 - never a file, on any system
"""Never there: of what is there and is not a file libpq warns, on the standard error."""


class Settings(NamedTuple):
    """What is in force for a target.

    Attributes:
        url: of the database; empty where libpq's variables say it.
        given: parameters beside it.
        schema: of leeward's tables.
        pool_size: connections at most.
        trust_env: whether the environment counts.
        stage: of whoever uses it, or None.
        gives_up: what `sslmode` may do without, or None.
        section: of leeward.toml, for messages.
    """

    url: str
    given: Mapping[str, str]
    schema: str
    pool_size: int
    trust_env: bool
    stage: str | None = None
    gives_up: str | None = None
    section: str = "its section"

    def __repr__(self) -> str:
        """Leave the password out."""
        return f"Settings(schema={self.schema!r}, pool_size={self.pool_size})"


def settings_from(config: TargetConfig) -> Settings:
    """Read the options of a target.

    Raises:
        ConfigError: one is wrong, or the hardened mode cannot be kept.
    """
    values = read_options(config, OPTIONS)
    names = ("password", "sslmode", "sslrootcert")
    given = {name: values[name] for name in names if values[name] is not None}
    if not config.trust_env:
        if values["url"] is None:
            raise ConfigError(f"'url' is missing in {config.section}: set it")
        if os.environ.get("PGSERVICE"):  # libpq looks for itself, and cannot be told not to
            raise ConfigError("PGSERVICE is set, which trust_env = false refuses: unset it")
    settings = Settings(
        *(values["url"] or "", given, values["schema"], values["pool_size"]),
        *(config.trust_env, config.stage, values["gives_up"], config.section),
    )
    said = (settings.url, given.get("sslmode", VERIFIED), os.environ.get("PGSSLMODE", VERIFIED))
    if "ssl" in said[0] or said[1:] != (VERIFIED, VERIFIED):
        with suppress(ImportError):  # who makes the first connection says so
            parameters_of(settings)
    return settings


def parameters_of(settings: Settings) -> dict[str, Any]:
    """Return the parameters for libpq. They may have a password in them.

    Raises:
        ConfigError: libpq does not understand the url, or a server off this machine would not have
            to prove who it is.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        said: dict[str, Any] = {**conninfo_to_dict(settings.url), **settings.given}
    except ProgrammingError:
        # Without the cause, which repeats the url.
        raise ConfigError("libpq does not understand the url of this target") from None
    ours: dict[str, Any] = {
        "application_name": "leeward",
        "connect_timeout": CONNECT_SECONDS,
        # Reads are strong: a standby may be behind.
        "target_session_attrs": "read-write",
    }
    defaults = _find(ours, trust_env=settings.trust_env)
    if not settings.trust_env:
        ours |= {"passfile": _NO_FILE, "sslmode": VERIFIED, "sslrootcert": "system"}
        if "sslcertmode" in ours:  # of libpq 16 and later; without it one in ~/.postgresql is shown
            ours["sslcertmode"] = "allow" if said.get("sslcert") else "disable"
    elif not _is_here(said if "service" in said else defaults | said):  # it goes before variables
        ours["sslmode"] = defaults.get("sslmode", VERIFIED)
        is_named = defaults.get("sslrootcert") or "service" in said or _ROOT.exists()
        if said.get("sslmode", ours["sslmode"]) == VERIFIED and not is_named:
            ours["sslrootcert"] = "system"
    merged = {**ours, **said}
    if "sslmode" in ours:
        _check_mode(merged["sslmode"], settings)
    return merged


def _find(ours: dict[str, Any], *, trust_env: bool) -> dict[str, str]:
    """Return what variables say, and the service that one names, and take that out of `ours`.

    In the hardened mode they count for nothing: `ours` gets libpq's own default for each.
    """
    from psycopg.pq import Conninfo

    parameters: dict[str, str] = {}
    for option in Conninfo.get_defaults():
        name, default = option.keyword.decode(), (option.compiled or b"").decode()
        if option.envvar is None or name == "service":
            continue
        if not trust_env:
            ours.setdefault(name, default or _DEFAULTS.get(name, ""))
            continue
        is_set = bool(os.environ.get(option.envvar.decode()))
        value = (option.val or b"").decode()
        if is_set:
            ours.pop(name, None)
        if is_set or value != default:
            parameters[name] = value
    return parameters


def _check_mode(mode: str, settings: Settings) -> None:
    least = _GIVEN_UP.get(mode, ())
    if (settings.gives_up if settings.trust_env else None) in least:
        return
    remedy = f"remove it, or make it {VERIFIED}, with the authority's file as `sslrootcert`"
    if settings.trust_env and least:
        remedy += f'; or say what you do without: gives_up = "{least[0]}"'
    raise ConfigError(
        f"the sslmode of {settings.section} (there, in its url, or of libpq's variables) does not "
        f"verify the server, which would get the password: {remedy}"
    )


def _is_here(parameters: Mapping[str, str]) -> bool:
    """Return whether every host is this machine: by a Unix socket, or loopback."""
    hosts, addresses = (parameters.get(name, "").split(",") for name in ("host", "hostaddr"))
    if "service" in parameters and hosts == addresses == [""]:
        return False  # the file of services may name any
    return all(
        place[:1] in ("", "/", "@") or place == "localhost" or _is_loopback(place)
        for place in (address or host for host, address in zip_longest(hosts, addresses))
    )


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
