"""What a cloud takes of facts, as data, and the checks that read it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

from leeward.errors import ConfigError
from leeward_deploy.settings import DeploySettings

ENTRANCE: Final = ("interval", "failures", "zone")
"""Fields that count only if the app has a domain."""


class NameRule(NamedTuple):
    """What own names of a section look like: a pattern, its words, and how to get another name."""

    pattern: str
    words: str
    remedy: str = "name it so in leeward.toml"


class ValueRule(NamedTuple):
    """What a setting may be: one of some numbers, or a text of a pattern; and its words."""

    field: str
    allowed: Collection[int] | str
    words: str


def check_regions(
    facts: Mapping[str, Any], pattern: re.Pattern[str], of: str, example: str
) -> None:
    """Check that regions have the names of regions.

    Raises:
        ConfigError: one has not.
    """
    for region in facts["regions"]:
        if not pattern.fullmatch(region):
            raise ConfigError(f"{region!r} is not a region of {of}; write the target as {example}")


def check_names(facts: Mapping[str, Any], cloud: str, rules: Mapping[str, NameRule]) -> None:
    """Check that a cloud takes each own name of what is made.

    Raises:
        ConfigError: it does not.
    """
    for section, (pattern, words, remedy) in rules.items():
        for name, fact in facts[section].items():
            is_made = not (fact.get("existing") or fact.get("service_bus"))
            for own in own_names(fact) if is_made else ():
                if not re.fullmatch(pattern, own):
                    raise ConfigError(
                        f"{name!r} of {section} would be called {own!r}, and {cloud} takes "
                        f"{words}; {remedy}"
                    )


def own_names(fact: Mapping[str, Any]) -> list[str]:
    """Return the own names of a thing, in whichever region."""
    return [fact["name"], *fact.get("names", {}).values()]


def check_differ(named: Iterable[tuple[str, str]]) -> None:
    """Check that no two things would be one, given own and logical names.

    Raises:
        ConfigError: two would be.
    """
    known: dict[str, str] = {}
    for own, name in named:
        if known.setdefault(own, name) != name:
            raise ConfigError(
                f"{known[own]} and {name} would both be {own!r}; give one of them another "
                "name, in the app, in dead_letters of the entry file, or in leeward.toml"
            )


def check_values(facts: Mapping[str, Any], rules: Iterable[ValueRule]) -> None:
    """Check the settings of ``[deploy]`` and ``[export.<cloud>]``.

    Raises:
        ConfigError: the cloud does not take one.
    """
    for field, allowed, words in rules:
        section = facts["entrance" if field in ENTRANCE else "settings"]
        value = section.get(field)
        is_right = (
            re.fullmatch(allowed, value or "")
            if isinstance(allowed, str)
            else value is None or value in allowed
        )
        if section and not is_right:
            where = "deploy" if field in DeploySettings._fields else f"export.{facts['cloud']}"
            raise ConfigError(f"{field} in [{where}] must be {words}")
