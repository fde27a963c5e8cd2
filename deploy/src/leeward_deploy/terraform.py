"""A configuration of Terraform by type and name, and whether its providers take it.

The providers' schemas say which arguments a resource has, of which types, and which it must have;
rules say what no schema knows: values that a cloud refuses when it is too late. Nobody is asked.

Source: "JSON Configuration Syntax" in Terraform's documentation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from leeward.adapter.looking import EXPECTED_FILE, Expected
from leeward.errors import ConfigError
from leeward_deploy.infrastructure import expected_text
from leeward_deploy.recipe import Template

Block = dict[str, Any]

ATTRIBUTES: Final = "="
"""Stands in a schema for the attributes that a resource has besides its arguments."""

_META: Final = frozenset(
    {"//", "count", "depends_on", "dynamic", "for_each", "lifecycle", "provider"}
)
"""Arguments of every resource, which are Terraform's own."""

_TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "string": str,
    "number": (int, float),
    "boolean": bool,
    "map": dict,
}

CORE: Final = ">= 1.5"
"""The core of Terraform that reads the files; OpenTofu has these versions, too."""

_REFERENCE: Final = re.compile(r"(?<!\$)\$\{([^{}]*)\}")

_NAMED: Final = re.compile(r"(?<![\w.\"/-])((?:data\.)?\w+)\.([\w-]+)(?:\.(\w+))?")

Schemas = Mapping[str, Mapping[str, Any]]

Mapped = Mapping[str, Any]


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
        self._locals: Block = {}
        self._outputs: Block = {}
        self._files: dict[str, str] = {}

    def file(self, name: str, text: str) -> str:
        """Add a file beside those of the configuration; return what reads it."""
        self._files[name] = text
        return of(f'file("${{path.module}}/{name}")')

    @property
    def files(self) -> tuple[Template, ...]:
        """Return the files that are beside those of the configuration."""
        return tuple(Template(name, text) for name, text in self._files.items())

    def local(self, name: str, value: Any) -> str:
        """Add a value that the files name once; return a reference to it."""
        self._locals[name] = value
        return of(f"local.{name}")

    def output(self, name: str, value: Any, text: str) -> None:
        """Add what a project may use of the module."""
        self._outputs[name] = {"description": text, "value": value}

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

    def document(self, data: Block | None = None) -> Block:
        """Return the configuration.

        Args:
            data: to be read, by type and name.
        """
        document: Block = {
            "terraform": {"required_version": CORE, "required_providers": self._required}
        }
        if self._provider is not None:
            document["provider"] = {self._name: self._provider}
        document["variable"] = self._variables
        if self._locals:
            document["locals"] = self._locals
        if data:
            document["data"] = data
        document["resource"] = self._resources
        if self._outputs:
            document["output"] = self._outputs
        return document

    def mark(self, schemas: Schemas, reference: str, *arguments: str) -> None:
        """Set tags or labels of everything that takes some, unless it has its own.

        Args:
            schemas: of the resources.
            reference: to the tags.
            arguments: by which names resources take them.
        """
        for type, named in self._resources.items():
            taken = [each for each in arguments if each in schemas.get(type, {})]
            for body in named.values():
                body.update({each: reference for each in taken if each not in body})


def expected_file(expected: Sequence[Expected]) -> Template:
    """Return the file by which ``leeward doctor`` compares what is there."""
    text = expected_text(expected)
    return Template(EXPECTED_FILE, text, document=json.loads(text))


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


class Rule(NamedTuple):
    """What a value has to be, that no schema knows.

    Attributes:
        type: of the resource.
        path: names of the argument and of the blocks around it, with dots; empty for the resource.
        holds: whether a value is as it has to be.
        must: what it must be, and what to do, for the message.
    """

    type: str
    path: str
    holds: Callable[[Any], bool]
    must: str


def schemas_in(file: Path) -> Schemas:
    """Return the schemas that an adapter keeps."""
    found: Schemas = json.loads(file.read_text(encoding="utf-8"))
    return found


def check(document: Mapped, schemas: Schemas, rules: Iterable[Rule], where: str) -> None:
    """Check a configuration before it is written.

    Raises:
        ConfigError: something in it is wrong; the resource and the argument are named.
    """
    found = list(flaws(document, schemas, rules))
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise ConfigError(f"{where}: {found[0]}{more}")


def flaws(document: Mapped, schemas: Schemas, rules: Iterable[Rule]) -> Iterator[str]:
    """Yield what is wrong with a configuration: each time the place, and what it must be."""
    rules = list(rules)
    for type, named in document.get("resource", {}).items():
        if type not in schemas:
            yield f"{type} is not a resource that is known here"
            continue
        for name, body in named.items():
            where = f"{type}.{name}"
            yield from _of_block(body, schemas[type], where)
            for rule in rules:
                if rule.type == type:
                    for value in _at(body, rule.path.split(".") if rule.path else []):
                        if not rule.holds(value):
                            at = f"{where}.{rule.path}" if rule.path else where
                            shown = f" is {value!r}, and" if rule.path else ""
                            yield f"{at}{shown} {rule.must}"
    yield from _dangling(document, schemas)


def _is_unknown(value: Any) -> bool:
    return isinstance(value, str) and "${" in value


def between(first: float, last: float, *, of: str = "") -> tuple[Callable[[Any], bool], str]:
    """Return what a rule wants of a number that has bounds; one that is not known is taken."""
    must = f"must be {first:g} to {last:g}{of}"
    return (
        lambda value: (
            _is_unknown(value) or (isinstance(value, int | float) and first <= value <= last)
        ),
        must,
    )


def one_of(*values: Any, of: str = "") -> tuple[Callable[[Any], bool], str]:
    """Return what a rule wants of a value that is one of some; one that is not known is taken."""
    must = f"must be {' or '.join(map(str, values))}{of}"
    return lambda value: _is_unknown(value) or value in values, must


def like(pattern: str, told: str) -> tuple[Callable[[Any], bool], str]:
    """Return what a rule wants of a text; one that is not known yet is taken."""
    compiled = re.compile(pattern)
    return lambda text: "${" in str(text) or bool(compiled.fullmatch(str(text))), told


DNS_NAME: Final = like(
    r"(?=.{1,253}\.?$)([a-z0-9_]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]\.?",
    "must be the name of a host in lower case, such as orders.example.com",
)


def _of_block(given: Any, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    """Yield what is wrong with the arguments of a resource, or of a block."""
    if not isinstance(given, dict):
        yield f"{where} is {given!r}, not a block"
        return
    known = {name.rstrip("!"): kind for name, kind in schema.items() if name != ATTRIBUTES}
    for name in schema:
        if name.endswith("!") and name[:-1] not in given:
            yield f"{where} lacks {name[:-1]}"
    for name, value in given.items():
        if name == "dynamic":
            for label, block in value.items():
                yield from _of_value(block["content"], known.get(label, "map"), f"{where}.{label}")
        elif name in known:
            yield from _of_value(value, known[name], f"{where}.{name}")
        elif name not in _META:
            yield f"{where} has no argument {name}"


def _of_value(value: Any, kind: Any, where: str) -> Iterator[str]:
    if isinstance(kind, dict):
        # A block that stands once may be written as a list of one.
        for each in value if isinstance(value, list) else [value]:
            yield from _of_block(each, kind, where)
    elif isinstance(kind, list) and not (isinstance(value, str) and value.startswith("${")):
        several = [value] if isinstance(value, dict) else value
        if not isinstance(several, list):
            yield f"{where} is {value!r}, not a list"
            return
        for number, each in enumerate(several):
            yield from _of_value(each, kind[0], f"{where}[{number}]")
    elif isinstance(value, str) and "${" in value:
        return  # what it is shows when it is known
    elif not isinstance(value, _TYPES[kind]) or (kind == "number" and isinstance(value, bool)):
        yield f"{where} is {value!r}, not a {kind}"


def _at(value: Any, path: list[str]) -> Iterator[Any]:
    """Yield the values at a path: none if it is not set, several below a list."""
    if not path:
        yield value
        return
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict) and path[0] in each:
            yield from _at(each[path[0]], path[1:])


def _dangling(document: Mapped, schemas: Schemas) -> Iterator[str]:
    """Yield the references that lead nowhere."""
    for where, text in _texts(document, ""):
        for inner in _REFERENCE.findall(text):
            for kind, name, attribute in _NAMED.findall(inner):
                told = _missing(document, schemas, kind, name, attribute)
                if told:
                    yield f"{where} refers to {told}"


def _missing(document: Mapped, schemas: Schemas, kind: str, name: str, attribute: str) -> str:
    """Return what a reference leads to that is not there; empty if it leads somewhere."""
    if kind in ("path", "each", "count") or name == "value":  # of a block that is repeated
        return ""
    if kind == "local":
        return "" if name in document.get("locals", {}) else f"local.{name}"
    if kind == "var":
        return "" if name in document.get("variable", {}) else f"the variable {name}"
    if kind.startswith("data."):
        return "" if name in document.get("data", {}).get(kind[5:], {}) else f"{kind}.{name}"
    if name not in document.get("resource", {}).get(kind, {}):
        return f"{kind}.{name}, which is not here"
    schema = schemas.get(kind, {})
    has = {each.rstrip("!") for each in schema} | {*schema.get(ATTRIBUTES, ())} | {"id"}
    return "" if attribute in has else f"{kind}.{name}.{attribute}, which it does not have"


def _texts(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _texts(each, f"{where}.{name}".removeprefix(".").removeprefix("resource."))
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, where)
