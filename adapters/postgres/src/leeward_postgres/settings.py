"""The settings of one PostgreSQL target.

What no option says is for libpq to find: its variables (`PGHOST`, `PGPASSWORD` and the others), its
service file and its password file. In the hardened mode it finds nothing: each parameter that a
variable could set is set here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from leeward.adapter import TargetConfig
from leeward.adapter.options import Option, Setting, Values, matching, read_options
from leeward.errors import ConfigError

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
VERIFIED: Final = "verify-full"
MOST_CONNECTIONS: Final = 1000
CONNECT_SECONDS: Final = 10
"""For one host; the call's own time is over before, most often."""

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
    if mode not in (None, VERIFIED) and not values.config.trust_env:
        raise _sslmode_error(setting.where)
    return text


def _ssl_mode(setting: Setting, values: Values) -> str:
    if setting.value not in SSL_MODES:
        raise ConfigError(f"{setting.where} must be one of {', '.join(SSL_MODES)}")
    if setting.value != VERIFIED and not values.config.trust_env:
        raise _sslmode_error(setting.where)
    return str(setting.value)


def _sslmode_error(where: str) -> ConfigError:
    return ConfigError(
        f"{where} does not verify the server, which trust_env = false demands: set sslmode to "
        f"{VERIFIED}, or remove it"
    )


def _pool_size(setting: Setting, values: Values) -> int:
    del values
    if isinstance(setting.value, bool) or not 1 <= setting.value <= MOST_CONNECTIONS:
        raise ConfigError(f"{setting.where} must be from 1 to {MOST_CONNECTIONS}")
    return int(setting.value)


OPTIONS: Final = (
    Option("url", "`postgresql://user@host/database`, with more of libpq's parameters behind a `?`",
           check=_url),
    Option("password", "of the role, where the `url` has none", secret=True, may_be_empty=False),
    Option("sslmode", "libpq's; `verify-full` with `trust_env = false`", check=_ssl_mode),
    Option("sslrootcert", "a file of certificates to trust; `system` for the system's own"),
    Option("schema", "where leeward's tables are", default="leeward",
           check=matching("[A-Za-z_][A-Za-z0-9_]{0,62}", "a name of letters, digits and '_'")),
    Option("pool_size", "connections at most, of each process", type=int, default=10,
           check=_pool_size),
)  # fmt: skip
"""Everything that a section may say."""

_DEFAULTS: Final = {"min_protocol_version": "3.0", "max_protocol_version": "3.0"}
"""What stands for libpq's own default, where it has no name for it and takes no empty text."""

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
    """

    url: str
    given: Mapping[str, str]
    schema: str
    pool_size: int
    trust_env: bool
    stage: str | None = None

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
    return Settings(
        *(values["url"] or "", given, values["schema"], values["pool_size"]),
        *(config.trust_env, config.stage),
    )


def parameters_of(settings: Settings) -> dict[str, Any]:
    """Return the parameters for libpq. They may have a password in them.

    Raises:
        ConfigError: libpq does not understand the url.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.pq import Conninfo

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
    for option in Conninfo.get_defaults():
        name = option.keyword.decode()
        if option.envvar is None or name == "service":
            continue
        if not settings.trust_env:
            default = (option.compiled or b"").decode() or _DEFAULTS.get(name, "")
            ours.setdefault(name, default)
        elif os.environ.get(option.envvar.decode()):
            ours.pop(name, None)
    if not settings.trust_env:
        ours |= {"passfile": _NO_FILE, "sslmode": VERIFIED, "sslrootcert": "system"}
        if "sslcertmode" in ours:  # of libpq 16 and later; without it one in ~/.postgresql is shown
            ours["sslcertmode"] = "allow" if said.get("sslcert") else "disable"
    return {**ours, **said}
