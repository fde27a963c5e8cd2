"""Static rules: read from TOML, and what they mean; every export is held to `answer_of`.

The first rule that matches a request is the only one that counts. A path is compared as it was
sent, with its capitals and its percent signs, and without its query. What no edge could keep is
refused with the rule's name and a remedy.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from leeward.errors import ConfigError
from leeward.values import NOTHING

STATUSES: Final = (301, 302, 307, 308)
"""Of redirects: those that every edge knows."""

FORBIDDEN: Final = 403
"""The status of what a rule denies."""

TomlTable: TypeAlias = Mapping[str, Any]

LIMIT: Final = 1_000
"""Rules in a file: more than any edge takes."""

KEYS: Final = (
    "name",
    "path",
    "countries",
    "except_countries",
    "redirect",
    "status",
    "rewrite",
    "deny",
    "set_request_headers",
    "remove_request_headers",
    "set_response_headers",
    "remove_response_headers",
)

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")

_PATH: Final = re.compile(r"/[A-Za-z0-9\-._~!$&'()+,;=:@%/]*")

_HOST: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+)+")

_COUNTRY: Final = re.compile(r"[A-Z]{2}")

_HEADER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}")

_VALUE: Final = re.compile(r"[!-z|~](?:[ -z|~]{0,998}[!-z|~])?")
"""Visible ASCII without braces: two of three edges put variables in their place."""

_HOP: Final = re.compile(
    r"connection|content-length|expect|host|keep-alive|proxy-.*|te|trailer|transfer-encoding"
    r"|upgrade|via",
    re.IGNORECASE,
)
"""Headers of one connection, or of how a message is sent: no edge lets them be changed."""

_KNOWN: Final = f"known: {', '.join(KEYS)}"


class Headers(NamedTuple):
    """What becomes of headers.

    Attributes:
        set: values by name, in the place of what is there.
        remove: names.
    """

    set: Mapping[str, str] = NOTHING
    remove: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of all of them, as they are written."""
        return (*self.set, *self.remove)


NO_HEADERS: Final = Headers()


class Redirect(NamedTuple):
    """Where a client is sent to.

    Attributes:
        path: with ``/*`` at its end it keeps what follows the rule's own prefix.
        host: another one, by https; empty for the host that was asked.
        status: of `STATUSES`.
    """

    path: str
    host: str = ""
    status: int = 301


class EdgeRule(NamedTuple):
    """One rule: which requests it is for, and what becomes of them.

    Attributes:
        name: for messages.
        path: of the request; with ``/*`` at its end, all that begin with what is before the star.
        countries: codes of two letters; if there are any, the client is in one of them.
        except_countries: the client is in no such country, or in an unknown one.
        redirect: the answer, if it is one.
        rewrite: the path that the origin is asked for, as that of a redirect.
        deny: the answer is `FORBIDDEN`.
        request: headers of the request, before it goes to the origin.
        response: headers of the answer.
    """

    name: str
    path: str
    countries: tuple[str, ...] = ()
    except_countries: tuple[str, ...] = ()
    redirect: Redirect | None = None
    rewrite: str | None = None
    deny: bool = False
    request: Headers = NO_HEADERS
    response: Headers = NO_HEADERS


class Request(NamedTuple):
    """A request, as far as rules look at it.

    Attributes:
        path: begins with a slash.
        query: without its question mark.
        country: code of two letters; empty if it is not known.
    """

    path: str
    query: str = ""
    country: str = ""


class Answer(NamedTuple):
    """What becomes of a request.

    Attributes:
        rule: the name of the one that matched; empty if the request goes on as it is.
        status: of an answer without the origin; 0 if the origin is asked.
        location: of a redirect.
        path: that the origin is asked for; empty if it is not.
        request: what becomes of the request's headers.
        response: what becomes of the answer's headers.
    """

    rule: str = ""
    status: int = 0
    location: str = ""
    path: str = ""
    request: Headers = NO_HEADERS
    response: Headers = NO_HEADERS


def is_prefix(path: str) -> bool:
    """Return whether a path stands for all that begin as it does."""
    return path.endswith("/*")


def stem(path: str) -> str:
    """Return a path without its star."""
    return path[:-1] if is_prefix(path) else path


def matches(pattern: str, path: str) -> bool:
    """Return whether a path of a request is one that a rule's path stands for."""
    return path.startswith(stem(pattern)) if is_prefix(pattern) else path == pattern


def overlaps(one: str, other: str) -> bool:
    """Return whether some path is one that both stand for."""
    return matches(one, stem(other)) or matches(other, stem(one))


def replace_path(pattern: str, target: str, path: str) -> str:
    """Return what a matching path becomes by the target of a redirect or a rewrite."""
    return stem(target) + path[len(stem(pattern)) :] if is_prefix(target) else target


def answer_of(rules: Iterable[EdgeRule], request: Request) -> Answer:
    """Return what becomes of a request."""
    for rule in rules:
        country, only = request.country, rule.countries
        is_from = country in only if only else country not in rule.except_countries
        if not matches(rule.path, request.path) or not is_from:
            continue
        if rule.deny:
            return Answer(rule.name, FORBIDDEN)
        if rule.redirect is not None:
            host = f"https://{rule.redirect.host}" if rule.redirect.host else ""
            query = f"?{request.query}" if request.query else ""
            return Answer(
                rule.name,
                rule.redirect.status,
                (host + replace_path(rule.path, rule.redirect.path, request.path) + query),
            )
        path = replace_path(rule.path, rule.rewrite or rule.path, request.path)
        return Answer(rule.name, 0, "", path, rule.request, rule.response)
    return Answer(path=request.path)


def matching_of(rule: EdgeRule) -> dict[str, Any]:
    """Return the requests of a rule as data; what it does not have is left out."""
    result: dict[str, Any] = {"path": stem(rule.path)}
    if is_prefix(rule.path):
        result["prefix"] = 1
    if rule.countries:
        result["only"] = [*rule.countries]
    if rule.except_countries:
        result["except"] = [*rule.except_countries]
    return result


def data_of(rule: EdgeRule) -> dict[str, Any]:
    """Return a rule without its headers as data, as fixed code reads it at an edge."""
    result = matching_of(rule)
    if rule.deny:
        result["deny"] = 1
    if rule.redirect is not None:
        result["status"] = rule.redirect.status
        if rule.redirect.host:
            result["host"] = f"https://{rule.redirect.host}"
    target = rule.redirect.path if rule.redirect is not None else rule.rewrite
    if target is not None:
        result["to"] = stem(target)
        if is_prefix(target):
            result["keep"] = 1
    return result


def changes_of(headers: Headers) -> dict[str, Any]:
    """Return changes of headers as data, by small names."""
    result: dict[str, Any] = {}
    if headers.set:
        result["set"] = {name.lower(): value for name, value in headers.set.items()}
    if headers.remove:
        result["remove"] = [name.lower() for name in headers.remove]
    return result


def read_rules(file: Path) -> tuple[EdgeRule, ...]:
    """Return the rules of a file.

    Raises:
        ConfigError: it cannot be read, or a rule is wrong.
    """
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{file} is not TOML: {error}") from error
    try:
        return rules_of(document)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from None


def rules_of(document: TomlTable) -> tuple[EdgeRule, ...]:
    """Return the rules of a document.

    Raises:
        ConfigError: one is wrong; its name, what is wrong and a remedy are told.
    """
    tables = document.get("rules")
    if set(document) != {"rules"} or not isinstance(tables, list) or not tables:
        raise ConfigError("rules must be written as [[rules]], at least one, and nothing else")
    if len(tables) > LIMIT:
        raise ConfigError(f"there are {len(tables)} rules, and at most {LIMIT} are read")
    rules: list[EdgeRule] = []
    for number, table in enumerate(tables, 1):
        name = table.get("name") if isinstance(table, dict) else None
        where = f"rule {name!r}" if isinstance(name, str) else f"rule {number}"
        try:
            rules.append(_rule(table))
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
    names = [rule.name for rule in rules]
    for rule in rules:
        if names.count(rule.name) > 1:
            raise ConfigError(f"two rules are named {rule.name!r}; rename one")
    for earlier, later in pairwise(rules):
        if later.deny and not earlier.deny:
            raise ConfigError(
                f"rule {later.name!r} denies, and stands after {earlier.name!r}; move it to the "
                "beginning: two of three edges deny before they look at other rules"
            )
    _check_loops(rules)
    return tuple(rules)


def _rule(table: Any) -> EdgeRule:
    if not isinstance(table, dict):
        raise ConfigError("it is not a table; write [[rules]]")
    for key in table:
        if key not in KEYS:
            near = get_close_matches(key, KEYS, 1)
            raise ConfigError(
                f"{key!r} is not known; {f'did you mean {near[0]!r}?' if near else _KNOWN}"
            )
    path = _path(table, "path")
    name = table.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError("name must be small letters, digits and hyphens, at most 40")
    if table.get("deny", True) is not True:
        raise ConfigError("deny must be true; remove the key if it is not")
    rule = EdgeRule(
        name,
        path,
        _countries(table, "countries"),
        _countries(table, "except_countries"),
        _redirect(table, path),
        _target(table, "rewrite", path) if "rewrite" in table else None,
        ("deny" in table),
        _headers(table, "request"),
        _headers(table, "response"),
    )
    # Check that a rule does one thing.
    if rule.countries and rule.except_countries:
        raise ConfigError("countries and except_countries exclude each other; write one of them")
    answers = [rule.redirect is not None, rule.deny]
    changes = [rule.rewrite is not None, bool(rule.request.names), bool(rule.response.names)]
    if sum(answers) + any(changes) != 1:
        raise ConfigError(
            "it must either redirect, or deny, or change the path and headers; make it two rules, "
            "or add what is missing"
        )
    return rule


def _path(table: TomlTable, key: str) -> str:
    value = table.get(key)
    plain = stem(value) if isinstance(value, str) else ""
    dots = {".", ".."}.intersection(plain.split("/"))
    if not _PATH.fullmatch(plain) or "//" in plain or dots or len(plain) > 1024:
        raise ConfigError(
            f"{key} must be a path such as '/about' or '/shop/*', as a client sends it, without a "
            "query, double slashes, /./ and /../; a star stands at the end, after a slash"
        )
    return str(value)


def _target(table: TomlTable, key: str, path: str) -> str:
    target = _path(table, key)
    if is_prefix(target) and not is_prefix(path):
        raise ConfigError(f"{key} ends with /* and path does not; write one path for the other")
    return target


def _redirect(table: TomlTable, path: str) -> Redirect | None:
    if "redirect" not in table:
        if "status" in table:
            raise ConfigError("status belongs to a redirect; remove it")
        return None
    to, status = table["redirect"], table.get("status", STATUSES[0])
    if status not in STATUSES or isinstance(status, bool):
        raise ConfigError(f"status must be one of {', '.join(map(str, STATUSES))}")
    if not isinstance(to, str):
        raise ConfigError("redirect must be a path, or https:// with a host and a path")
    if to.startswith("/"):
        target = _target(table, "redirect", path)
        if target == "/*":
            raise ConfigError(
                "redirect to /* would send /x//other.example to another host; write it with your "
                "own: https://HOST/*"
            )
        if matches(path, stem(target)):
            raise ConfigError(
                "redirect leads to the rule's own path, again and again; choose another path"
            )
        return Redirect(target, "", status)
    scheme, _, rest = to.partition("://")
    host, slash, after = rest.partition("/")
    if scheme != "https" or not _HOST.fullmatch(host):
        raise ConfigError(
            "redirect must be a path, or https:// with a host in small letters and a path"
        )
    return Redirect(_target({"redirect": f"{slash}{after}"}, "redirect", path), host, status)


def _countries(table: TomlTable, key: str) -> tuple[str, ...]:
    if key not in table:
        return ()
    values = table[key]
    if (
        not isinstance(values, list)
        or not values
        or not all(isinstance(value, str) and _COUNTRY.fullmatch(value) for value in values)
    ):
        raise ConfigError(f"{key} must be a list of codes of ISO 3166, such as ['DE', 'FR']")
    return tuple(sorted(set(values)))


def _headers(table: TomlTable, of: str) -> Headers:
    additions, removed = table.get(f"set_{of}_headers", {}), table.get(f"remove_{of}_headers", [])
    if not isinstance(additions, dict) or not isinstance(removed, list):
        raise ConfigError(f"set_{of}_headers must be a table, and remove_{of}_headers a list")
    names = [*additions, *removed]
    for name in names:
        if not isinstance(name, str) or not _HEADER.fullmatch(name):
            raise ConfigError("the name of a header must be of letters, digits and hyphens")
        if _HOP.fullmatch(name):
            raise ConfigError(f"no edge lets the header {name} be changed; leave it out")
    if len({str(name).lower() for name in names}) < len(names):
        raise ConfigError(f"a {of} header is named twice; capitals do not count")
    for name, value in additions.items():
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise ConfigError(
                f"the value of {name} must be visible ASCII, at most 1,000 characters, without "
                "braces: two of three edges put variables in their place"
            )
    return Headers(dict(additions), tuple(removed))


def _check_loops(rules: list[EdgeRule]) -> None:
    """Refuse redirects on one host of which each leads to the next, and the last to the first."""
    redirects = [
        (rule, rule.redirect.path) for rule in rules if rule.redirect and not rule.redirect.host
    ]
    leads = {
        rule.name: [
            other.name for other, _ in redirects if other is not rule and overlaps(to, other.path)
        ]
        for rule, to in redirects
    }
    for name, first in leads.items():
        seen, rest = set[str](), [*first]
        while rest:
            step = rest.pop()
            if step == name:
                raise ConfigError(
                    f"rule {name!r} may redirect to itself, by way of others; choose paths that "
                    "no other rule redirects"
                )
            if step not in seen:
                seen.add(step)
                rest += leads[step]
