"""The settings of one target: where its functions are, who calls them, and what refusals mean.

A function has its URL in the target's section, or in ``[functions.NAME.names]``. Only such a URL is
ever called: a name that a program passes on is never taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from leeward.adapter import TargetConfig
from leeward.adapter.classification import REJECTED
from leeward.adapter.hosts import (
    Url,
    check_host,
    check_token_goes_safely,
    goes_in_clear,
    url_of,
)
from leeward.adapter.http_functions import BY_PLATFORM, Address, Proof
from leeward.adapter.opening import HttpSettings, http_options, http_settings
from leeward.adapter.options import Option, Setting, Values, matching, read_options
from leeward.errors import ConfigError
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.text import is_token
from leeward.values import NOTHING

NAME: Final = "{function}"
"""Stands for the function's name in `url`."""

MCP: Final = "mcp+"
"""Before the URL of an MCP server; the name of a tool stands behind it, after ``#``."""

REFUSALS: Final = frozenset({400, 401, 403, 404, 405, 413, 415, 429, 503})
"""Statuses that may be declared as refusals. Others, such as 408, 500, 502 and 504, come from
gateways when a function has begun: no service can vouch for these."""

_TOOL: Final = "[A-Za-z0-9_./-]{1,128}"
"""The name of a tool; the specification of MCP (2025-11-25, server/tools) has the same."""

_FIELD: Final = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
"""The name of a header (RFC 9110, section 5.6.2)."""

_OURS: Final = (
    "authorization connection content-length content-type expect host idempotency-key te trailer "
    "traceparent transfer-encoding upgrade"
).split()
"""Headers that say what is sent, or how."""


@show_only("file header")
class Identity(NamedTuple):
    """Who calls, as far as the settings say.

    Attributes:
        token: that is sent; None for none, or for one in a file.
        file: path of the file that has it; None for none.
        header: that takes it; empty for ``Authorization: Bearer``.
        headers: names and values that each request has besides.
    """

    token: str | None = None
    file: str | None = None
    header: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class Location(NamedTuple):
    """Where a function is: an address; and the name of a tool, where that is an MCP server's."""

    address: Address
    tool: str = ""


@show_only("identity")
class Settings(NamedTuple):
    """What is in force for one target.

    Attributes:
        url: of any function, with `NAME` where its name goes; empty for none.
        functions: function to the place of its own.
        refusals: function to what its refusals prove.
        identity: who calls.
        health: what is asked whether the target works; None for nothing.
        http: how requests are carried.
    """

    url: str = ""
    functions: Mapping[str, Location] = NOTHING
    refusals: Mapping[str, tuple[Proof, ...]] = NOTHING
    identity: Identity = Identity()
    health: Address | None = None
    http: HttpSettings = HttpSettings()


def _check_way(url: Url, where: str, values: Values) -> None:
    """Refuse a URL to which a payload or a token would go in clear text."""
    check_host(url.origin, where, values.config, is_own=True, whose="")
    if not goes_in_clear(url.origin):
        return
    if any(map(values.setting, ("token", "token_variable", "token_file"))):
        check_token_goes_safely(url.origin, where)
    if not values["allow_http"]:
        raise ConfigError(
            f"{where} must be an https URL: over http everybody on the way reads what is sent; "
            f"set allow_http = true in {values.config.section} to send it so"
        )


def _url(setting: Setting, values: Values) -> Address:
    """Return the address that a URL names."""
    url = url_of(setting.value) if isinstance(setting.value, str) else None
    if url is None:
        raise ConfigError(
            f"{setting.where} must be a URL such as https://pay.example/charge, percent-encoded, "
            "without user and fragment"
        )
    _check_way(url, setting.where, values)
    return Address(url.origin, (url.path or "/") + url.query)


def _place(setting: Setting, values: Values) -> Location:
    """Return the place that a URL names, of a function or of a tool of an MCP server."""
    text = setting.value
    if not isinstance(text, str) or not text.startswith(MCP):
        return Location(_url(setting, values))
    server, _, tool = text.removeprefix(MCP).partition("#")
    if re.fullmatch(_TOOL, tool) is None:
        raise ConfigError(
            f"{setting.where} must name a tool behind the server's URL, such as "
            "mcp+https://tickets.example/mcp#create_ticket"
        )
    return Location(_url(setting._replace(value=server), values), tool)


def _template(setting: Setting, values: Values) -> str:
    text: str = setting.value
    if text.startswith(MCP):
        server, _, tool = text.removeprefix(MCP).partition("#")
        if tool != NAME or NAME in server:
            raise ConfigError(
                f"{setting.where} must have #{NAME} behind the URL of an MCP server, such as "
                f"mcp+https://tickets.example/mcp#{NAME}"
            )
        _url(setting._replace(value=server), values)
        return text
    one, other = (url_of(text.replace(NAME, name)) for name in ("one", "other"))
    head = text.partition("?")[0]
    if one is None or other is None or one.origin != other.origin or NAME not in head:
        raise ConfigError(
            f"{setting.where} must be a URL with {NAME} in its path where the function's name "
            f"goes, such as https://functions.example/{NAME}; give a single function its URL in "
            "functions"
        )
    _check_way(one, setting.where, values)
    return text


def _statuses(setting: Setting, _: Values) -> tuple[Proof, ...]:
    words = setting.value.split()
    by_text = {str(status): status for status in REFUSALS}
    wrong = [word for word in words if word not in by_text]
    if wrong or not words:
        raise ConfigError(
            f"{setting.where} must be statuses with blanks between, such as '429 503', of "
            f"{', '.join(sorted(by_text))}; no other proves that nothing ran"
        )
    return tuple(
        Proof(frozenset({by_text[word]}), BY_PLATFORM.get(by_text[word], REJECTED), by_anyone=True)
        for word in words
    )


def _variable(setting: Setting, values: Values) -> str:
    """Return the token that a variable holds."""
    config = values.config
    if not config.trust_env:
        raise ConfigError(
            f"{setting.where} has no effect while trust_env is false: name a token_file"
        )
    token = config.env.get(setting.value)
    if not token:
        raise ConfigError(f"{setting.where} names a variable that is not set: set it, or remove it")
    if not is_token(token):
        raise ConfigError(
            f"the variable that {setting.where} names holds white space or a character outside "
            "ASCII: set it again"
        )
    return token


def _allow_http(setting: Setting, values: Values) -> bool:
    if setting.value and not values.config.trust_env:
        raise ConfigError(f"{setting.where} cannot be true while trust_env is false")
    return bool(setting.value)


def _file(setting: Setting, _: Values) -> str:
    path: str = setting.value
    try:
        with Path(path).open("rb"):
            return path
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigError(
            f"{setting.where} names a file that cannot be read: {why}; check its path and its "
            "permissions"
        ) from error


_TOKENS: Final = ("token or token_variable or token_file",)

OPTIONS: Final = (
    Option("url", f"the URL of any function, with `{NAME}` where its name goes", check=_template),
    Option("functions", "function to its URL, where that is another", dict, check=_place),
    Option("refusals", "function to the statuses by which it refuses a call before anything "
           "runs, such as `429 503`", dict, check=_statuses),
    Option("token", "sent as `Authorization: Bearer`", secret=True,
           excludes="token_variable token_file"),
    Option("token_variable", "the variable that holds the token", excludes="token_file",
           check=_variable),
    Option("token_file", "the file that holds it; it is read again when it changes", check=_file),
    Option("token_header", "the header that takes the token as it is, such as `X-Api-Key`",
           needs=_TOKENS, check=matching(_FIELD, "the name of a header"), default=""),
    Option("headers", "header to its value, for each request", dict,
           check=matching("[!-~](?:[ -~]*[!-~])?", "visible ASCII")),
    Option("client_certificate", "a PEM file, for servers that ask for one (mTLS)", check=_file),
    Option("client_key", "a PEM file with its key, where that is another file",
           needs=("client_certificate",), check=_file),
    Option("allow_http", "`true` to call other machines over http, without a token", bool,
           default=False, check=_allow_http),
    Option("health", "a URL that answers 2xx to a GET while the target works", check=_url),
    *(option for option in http_options("") if option.name != "allowed_hosts"),
)  # fmt: skip


def settings_from(config: TargetConfig) -> Settings:
    """Read the settings of a target.

    Raises:
        ConfigError: a setting is wrong; names it and the remedy.
    """
    values = read_options(config, OPTIONS)
    functions = {**values["functions"], **dict(_named_urls(config, values))}
    refusals = values["refusals"]
    for name in refusals:
        if not values["url"] and config.functions.get(name, name) not in functions:
            raise ConfigError(
                f"{name!r} of 'refusals' in {config.section} has no URL: give it one in functions"
            )
    return Settings(
        values["url"] or "",
        functions,
        {config.functions.get(name, name): proofs for name, proofs in refusals.items()},
        Identity(
            values["token"] or values["token_variable"],
            values["token_file"],
            values["token_header"],
            tuple(values["headers"].items()),
        ),
        values["health"],
        _http(values),
    )


def _named_urls(config: TargetConfig, values: Values) -> Iterator[tuple[str, Location]]:
    """Yield the URLs among the target's own names of functions, with what they address."""
    for function, name in config.functions.items():
        if "://" in name:
            where = f"the name of {function!r} on {config.name} in [functions.{function}.names]"
            yield name, _place(Setting(name, where), values)


def _http(values: Values) -> HttpSettings:
    """Return how requests are carried; check the names of headers on the way."""
    config = values.config
    for name in [*values["headers"], values["token_header"]]:
        lower = name.lower()
        if name and (re.fullmatch(_FIELD, name) is None or lower.startswith("x-leeward")):
            raise ConfigError(f"{config.section} has a header that cannot be sent; rename it")
        if lower in _OURS:
            remedy = "use token" if lower == "authorization" else "remove it"
            raise ConfigError(f"{config.section} has the header {lower!r}: {remedy}")
    certificate, key = values["client_certificate"], values["client_key"]
    if certificate is not None:
        _check_pair(certificate, key, config.section)
    return http_settings(values)._replace(client_certificate=certificate, client_key=key)


def _check_pair(certificate: str, key: str | None, section: str) -> None:
    """Check that two files hold a certificate and its key."""
    import ssl  # which most programs do without

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, lambda: "")
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise ConfigError(
            f"'client_certificate' and 'client_key' in {section} must be PEM files with a "
            "certificate and its key, and the key must have no password"
        ) from error
