"""Definitions in files: YAML 1.2 or JSON, which are the same document.

YAML needs `ruamel.yaml` (``pip install "leeward[yaml]"``), which reads version 1.2, where ``on`` is
a word and not a truth value. JSON needs nothing.
"""

from __future__ import annotations

import re
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from leeward.errors import ConfigError
from leeward.json_text import Undecodable, decode
from leeward.values import Json
from leeward.workflow.checks import DEEPEST
from leeward.workflow.document import written
from leeward.workflow.model import Definition
from leeward.workflow.reading import read_definition

if TYPE_CHECKING:
    from ruamel.yaml import YAML

LARGEST: Final = 4 * 1024 * 1024
"""Bytes of a file: far more than a definition may have, however it is indented."""
_DEEPEST: Final = 8 * DEEPEST
"""Lists and objects inside each other, of JSON: a block in a block is up to four."""


def read_file(path: Path) -> Definition:
    """Return the definition in a file whose name ends in ``.yaml``, ``.yml`` or ``.json``.

    Raises:
        ConfigError: it cannot be read, or is not a workflow that every engine can run.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"the workflow's file {path} cannot be read: {why}") from error
    if len(text) > LARGEST:
        raise ConfigError(f"the workflow's file {path} has more than {LARGEST} bytes")
    if path.suffix == ".json":
        return read_definition(_json(text, str(path)), str(path))
    document = yaml_in(text, str(path))
    try:
        return read_definition(document, str(path))
    except ConfigError as error:
        raise ConfigError(_with_line(str(error), text, str(path))) from error


def _with_line(message: str, text: str, source: str) -> str:
    """Return a message with the line of the place in a YAML text that it begins with."""
    told = message.removeprefix(source)
    path = re.match(r"(?:: |\.)?([\w.\[\]-]*)", told)
    if told == message or path is None:
        return message
    node, line = _yaml(source).compose(text), 1
    for part in re.findall(r"[A-Za-z_][\w-]*|\d+", path[1]):
        if isinstance(node.value, list) and part.isdigit() and int(part) < len(node.value):
            node = node.value[int(part)]
            line = node.start_mark.line + 1
            continue
        pairs = [pair for pair in node.value if isinstance(pair, tuple) and pair[0].value == part]
        if not pairs:
            break
        line, node = pairs[0][0].start_mark.line + 1, pairs[0][1]
    return f"{source}, line {line}{told}"


def yaml_in(text: str, source: str) -> Json:
    """Return the value of a YAML text.

    Raises:
        ConfigError: it is not YAML, names one field twice, or uses anchors.
    """
    yaml = _yaml(source)
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.events import AliasEvent

    try:
        if any(isinstance(event, AliasEvent) for event in yaml.parse(text)):
            raise ConfigError(f"{source}: anchors are not taken; write it out")
        found: Json = yaml.load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        mark: Any = getattr(error, "problem_mark", None)
        place = "" if mark is None else f", line {mark.line + 1}"
        problem = getattr(error, "problem", None) or type(error).__name__
        raise ConfigError(f"{source}{place}: it is not YAML: {problem}") from error
    return found


def yaml_of(definition: Definition) -> str:
    """Return a definition as YAML, without the fields that are null.

    Raises:
        ConfigError: `ruamel.yaml` is not installed.
    """
    from io import StringIO

    stream = StringIO()
    _yaml(definition.name).dump(_shorter(written(definition)), stream)
    return stream.getvalue()


def json_of(definition: Definition) -> str:
    """Return a definition as JSON, for people: indented, with every field."""
    return dumps(written(definition), indent=2) + "\n"


def _json(text: str, source: str) -> Json:
    try:
        return decode(text, deepest=_DEEPEST)
    except Undecodable as error:
        raise ConfigError(f"{source}: it is not JSON: {error}") from None


def _yaml(source: str) -> YAML:
    try:
        from ruamel.yaml import YAML
    except ImportError as error:
        raise ConfigError(
            f'{source}: YAML needs ruamel.yaml; pip install "leeward[yaml]", or write JSON'
        ) from error
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    return yaml


def _shorter(value: Json) -> Json:
    """Leave out what a reader fills in again; of a payload, nothing."""
    if isinstance(value, list):
        return [_shorter(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: each if name in ("payload", "result") else _shorter(each)
        for name, each in value.items()
        if each is not None
    }
