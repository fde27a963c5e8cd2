"""Static rules, and what they mean: every export is held to `answer_of`.

The first rule that matches a request is the only one that counts. A path is compared as it was
sent, with its capitals and its percent signs, and without its query.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from leeward.values import NOTHING

STATUSES: Final = (301, 302, 307, 308)
"""Of redirects: those that every edge knows."""

FORBIDDEN: Final = 403
"""The status of what a rule denies."""


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


class Rule(NamedTuple):
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


def answer_of(rules: Iterable[Rule], request: Request) -> Answer:
    """Return what becomes of a request."""
    for rule in rules:
        if not matches(rule.path, request.path) or not _is_from(rule, request.country):
            continue
        if rule.deny:
            return Answer(rule.name, FORBIDDEN)
        if rule.redirect is not None:
            return Answer(rule.name, rule.redirect.status, _location(rule, rule.redirect, request))
        path = replace_path(rule.path, rule.rewrite or rule.path, request.path)
        return Answer(rule.name, 0, "", path, rule.request, rule.response)
    return Answer(path=request.path)


def note_on_spelling(rules: Iterable[Rule]) -> tuple[str, ...]:
    """Return what to say of rules that deny a path: an edge compares it as it was written."""
    denied = [rule.path for rule in rules if rule.deny]
    if not denied:
        return ()
    told = (
        f"deny compares the path as the client spells it, so {denied[0]} in capitals, with %2F, "
        "//, /./ or ; passes; let the origin refuse by the path that it reads, too"
    )
    return (told,)


def _is_from(rule: Rule, country: str) -> bool:
    if rule.countries:
        return country in rule.countries
    return country not in rule.except_countries


def _location(rule: Rule, redirect: Redirect, request: Request) -> str:
    host = f"https://{redirect.host}" if redirect.host else ""
    query = f"?{request.query}" if request.query else ""
    return host + replace_path(rule.path, redirect.path, request.path) + query
