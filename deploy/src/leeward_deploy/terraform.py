"""Terraform's JSON, as the templates of adapters write it: resources by type and name.

Source: "JSON Configuration Syntax" in Terraform's documentation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from leeward.adapter.looking import EXPECTED, Expected
from leeward.errors import ConfigError

Block = dict[str, Any]

_ALWAYS: Final = ("kind", "name", "target")


class Configuration:
    """A configuration that grows by one resource at a time.

    Args:
        source: of the provider, such as ``hashicorp/nimbus``.
        version: the constraint on it.
        variables: texts that the user gives, by name, with a description.
        provider: the settings of the provider; None for those of the environment.
    """

    def __init__(
        self, source: str, version: str, variables: dict[str, str], provider: Block | None = None
    ) -> None:
        self._name = source.rpartition("/")[2]
        self._provider = provider
        self._required = {self._name: {"source": source, "version": version}}
        self._variables: Block = {}
        for name, text in variables.items():
            self.variable(name, text)
        self._resources: dict[str, dict[str, Block]] = {}

    def variable(self, name: str, text: str, **more: Any) -> None:
        """Add what the user gives: a text, unless `more` says otherwise."""
        self._variables[name] = {"type": "string", "description": text, **more}

    def add(self, type: str, name: str, /, **arguments: Any) -> str:
        """Add a resource; return the beginning of a reference to what it has.

        Raises:
            ConfigError: another one of its type has this name.
        """
        id = identifier(name)
        known = self._resources.setdefault(type, {})
        if id in known:
            raise ConfigError(
                f"two things are {name!r} here, of type {type}; give one of them another name, in "
                "the app or in leeward.toml"
            )
        known[id] = arguments
        return f"{type}.{id}"

    def reference(self, type: str, name: str, attribute: str = "name") -> str:
        """Return a reference to what has been added; the name itself of what is not made here."""
        id = identifier(name)
        return of(f"{type}.{id}.{attribute}") if id in self._resources.get(type, {}) else name

    def document(
        self, data: Block | None = None, expected: Sequence[Expected] | None = None
    ) -> Block:
        """Return the configuration.

        Args:
            data: to be read, by type and name.
            expected: what is there when it has been applied, which becomes an output.
        """
        document: Block = {"terraform": {"required_providers": self._required}}
        if self._provider is not None:
            document["provider"] = {self._name: self._provider}
        document["variable"] = self._variables
        if data:
            document["data"] = data
        document["resource"] = self._resources
        if expected is not None:
            document["output"] = {EXPECTED: {"value": entries_of(expected)}}
        return document


def entries_of(expected: Sequence[Expected]) -> list[Block]:
    """Return what is expected as it stands in a file."""
    return [
        {name: value for name, value in each._asdict().items() if value or name in _ALWAYS}
        for each in expected
    ]


def text_of(document: Block) -> str:
    """Return a configuration as the text of its file."""
    return json.dumps(document, indent=2) + "\n"


def identifier(name: str) -> str:
    """Return a name as Terraform writes it: letters, digits, hyphens and underscores."""
    found = re.sub(r"[^A-Za-z0-9_-]+", "_", name)
    return found if found[:1].isalpha() else f"_{found}"


def of(reference: str) -> str:
    """Return a text that stands for a reference."""
    return f"${{{reference}}}"


def literal(text: str) -> str:
    """Return a text that stands for itself, whatever Terraform would read in it."""
    return text.replace("${", "$${").replace("%{", "%%{")


def unique(values: Iterable[str]) -> list[str]:
    """Return texts in order, each once."""
    return sorted(set(values))
