"""Reads a definition from a document; `leeward.workflow.model` has an example."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from leeward.errors import ConfigError
from leeward.json_text import Undecodable, decode
from leeward.values import Effect, Json
from leeward.workflow import model
from leeward.workflow.checks import DEEPEST, check_definition
from leeward.workflow.retry import Retry, check_retry, seconds_of

if TYPE_CHECKING:
    from ruamel.yaml import YAML


STEP_TIMEOUT: Final = 60
"""Seconds of a step by default."""
UNDO_RETRY: Final = Retry(on=("*",), attempts=6)
"""Of an undo: every failure is tried again, because nothing else takes the step back."""

_NAME_OF_FIELD: Final = r"""\["(?:[^"\\]|\\.)*"\]"""
_FIELD: Final = re.compile(rf"{model.PLAIN_FIELD}|{_NAME_OF_FIELD}")
_REFERENCE: Final = re.compile(r"\$([a-z][a-z0-9-]*)(.*)")
_OPERATORS: Final = ("==", "!=", "<", "<=", ">", ">=")


def read_definition(document: Any, source: str = "the document") -> model.Definition:
    """Return the definition that a document holds, checked.

    Raises:
        ConfigError: it is not a workflow, or not one that every engine can run; the message names
            the place and the remedy.
    """
    places = _Places()
    definition = _read(document, source, places)
    check_definition(
        definition, lambda node: source if node is None else places.get(id(node), source)
    )
    return definition


def read_stored(document: Any, source: str) -> model.Definition:
    """Return the definition in a document that was checked when it was written.

    It is not checked again: runs of it are under way, and a limit may be tighter by now.
    """
    places = _Places()
    places.is_stored = True
    return _read(document, source, places)


def _read(document: Any, source: str, places: _Places) -> model.Definition:
    top = _Fields(document, source, "leeward", "workflow", "timeout", "do")
    if top.get("leeward", _any) != model.FORMAT:
        raise ConfigError(
            f"{source}: leeward must be {model.FORMAT!r}; it tells what the document is"
        )
    timeout = top.get("timeout", _any)
    try:
        return model.Definition(
            top.need("workflow", _text),
            _read_block(top.need("do", _list), f"{source}: do", places),
            None if timeout is None else seconds_of(timeout, f"{source}: timeout"),
        )
    except RecursionError:
        raise ConfigError(f"{source} is nested too deep; flatten it") from None


class _Places(dict[int, str]):
    """The places of nodes in the document, by identity.

    Attributes:
        is_stored: the document is complete: no default is added.
    """

    is_stored = False


class _Fields:
    """The fields of one object of a document."""

    def __init__(self, value: Any, where: str, *fields: str) -> None:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} must be an object with {', '.join(fields)}")
        for name in value:
            if name not in fields:
                raise ConfigError(f"{where}: unknown field {name!r}; known: {', '.join(fields)}")
        self.value = value
        self.where = where

    def get(self, name: str, read: Callable[[Any, str], Any], default: Any = None) -> Any:
        value = self.value.get(name)
        return default if value is None else read(value, f"{self.where}.{name}")

    def need(self, name: str, read: Callable[[Any, str], Any]) -> Any:
        if name not in self.value:
            raise ConfigError(f"{self.where} lacks {name!r}; add it")
        return read(self.value[name], f"{self.where}.{name}")


def _read_block(items: list[Any], where: str, places: _Places) -> model.Block:
    read = []
    for index, item in enumerate(items):
        place = f"{where}[{index}]"
        node = _read_node(item, place, places)
        places[id(node)] = place
        read.append(node)
    return tuple(read)


def _read_node(item: Any, where: str, places: _Places) -> model.Node:
    kinds = [kind for kind in _READERS if isinstance(item, Mapping) and kind in item]
    # A saga and a step both have a field `undo`, but only one field names the kind of a node.
    if len(kinds) != 1:
        raise ConfigError(f"{where} must have exactly one of {', '.join(_READERS)}")
    fields, read = _READERS[kinds[0]]
    node = _Fields(item, where, kinds[0], *fields)
    return read(node, node.need(kinds[0], _text), places)


def _do(fields: _Fields, places: _Places, name: str = "do") -> model.Block:
    return _read_block(fields.need(name, _list), f"{fields.where}.{name}", places)


def _read_step(fields: _Fields, id: str, places: _Places) -> model.Step:
    retry = fields.get("retry", _read_retry, Retry())
    if not places.is_stored:
        retry = retry.with_proofs()
    effect = fields.get("effect", _effect, Effect.UNSAFE)
    settle = fields.get("settle", _boolean)
    return model.Step(
        id,
        fields.get("call", _text, id),
        fields.get("payload", _template),
        effect,
        fields.get("timeout", seconds_of, STEP_TIMEOUT),
        retry,
        _read_undo(fields, places),
        settle if places.is_stored else settle_of(settle, effect),
    )


def settle_of(given: bool | None, effect: Effect) -> bool | None:
    """Return whether a step is settled, as a definition keeps it: by default if it is keyed."""
    if effect is Effect.KEYED:
        return given is not False
    return given or None


def _read_undo(node: _Fields, places: _Places) -> model.Undo | None:
    if node.value.get("undo") is None:
        return None
    fields = _Fields(node.value["undo"], f"{node.where}.undo", "call", "timeout", "retry")
    retry = fields.get("retry", _read_retry, UNDO_RETRY)
    return model.Undo(
        fields.need("call", _text),
        fields.get("timeout", seconds_of, STEP_TIMEOUT),
        retry if places.is_stored else retry.with_proofs(),
    )


def _read_child(fields: _Fields, id: str, places: _Places) -> model.Child:
    undo = _read_undo(fields, places)
    return model.Child(id, fields.get("flow", _text, id), fields.get("input", _template), undo)


def _read_retry(value: Any, where: str) -> Retry:
    _Fields(value, where, *Retry._fields)
    try:
        return check_retry(Retry(**value), Retry())
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _read_attempt(fields: _Fields, id: str, places: _Places) -> model.AttemptNode:
    handlers = []
    for index, item in enumerate(fields.need("on", _list)):
        on = _Fields(item, f"{fields.where}.on[{index}]", "errors", "do")
        errors = on.need("errors", _list)
        handlers.append(
            model.ErrorHandler(
                tuple(_text(error, f"{on.where}.errors") for error in errors), _do(on, places)
            )
        )
    return model.AttemptNode(id, _do(fields, places), tuple(handlers))


def _read_saga(fields: _Fields, id: str, places: _Places) -> model.Saga:
    undo = fields.get("undo", _text, "reverse")
    if undo not in ("reverse", "parallel"):
        raise ConfigError(f"{fields.where}.undo must be 'reverse' or 'parallel'")
    return model.Saga(id, _do(fields, places), undo)


def _read_parallel(fields: _Fields, id: str, places: _Places) -> model.Parallel:
    branches = []
    for index, item in enumerate(fields.need("branches", _list)):
        branch = _Fields(item, f"{fields.where}.branches[{index}]", "branch", "do")
        branches.append(model.Branch(branch.need("branch", _text), _do(branch, places)))
    return model.Parallel(id, tuple(branches))


def _read_choose(fields: _Fields, id: str, places: _Places) -> model.Choose:
    cases = []
    for index, item in enumerate(fields.need("cases", _list)):
        case = _Fields(item, f"{fields.where}.cases[{index}]", "when", "do")
        cases.append(model.Case(case.need("when", _condition), _do(case, places)))
    otherwise = _do(fields, places, "otherwise") if "otherwise" in fields.value else ()
    return model.Choose(id, tuple(cases), otherwise)


def _read_each(fields: _Fields, id: str, places: _Places) -> model.Each:
    items, at_once = fields.need("in", _reference), fields.get("at_once", _number, 1)
    return model.Each(id, items, _do(fields, places), at_once, fields.get("collect", _template))


def _read_repeat(fields: _Fields, id: str, places: _Places) -> model.Repeat:
    until, at_most = fields.need("until", _condition), fields.need("at_most", _number)
    return model.Repeat(id, _do(fields, places), until, at_most)


def _read_event(fields: _Fields, id: str, places: _Places) -> model.EventNode:
    del places
    names = tuple(_text(name, f"{fields.where}.names") for name in fields.get("names", _list, [id]))
    seconds, until = fields.get("timeout", _seconds), fields.get("until", _reference)
    return model.EventNode(id, names, seconds, until, fields.get("question", _template))


_READERS: Final[Mapping[str, tuple[tuple[str, ...], Callable[[_Fields, str, Any], model.Node]]]] = {
    "step": (("call", "payload", "effect", "timeout", "settle", "retry", "undo"), _read_step),
    "attempt": (("do", "on"), _read_attempt),
    "saga": (("undo", "do"), _read_saga),
    "parallel": (("branches",), _read_parallel),
    "choose": (("cases", "otherwise"), _read_choose),
    "each": (("in", "at_once", "collect", "do"), _read_each),
    "repeat": (("until", "at_most", "do"), _read_repeat),
    "run": (("flow", "input", "undo"), _read_child),
    "event": (("names", "timeout", "until", "question"), _read_event),
    "wait": (
        ("seconds", "until"),
        lambda fields, id, _: model.Wait(
            id, fields.get("seconds", _seconds), fields.get("until", _reference)
        ),
    ),
    "stop": (("result",), lambda fields, id, _: model.Stop(id, fields.get("result", _template))),
    "fail": (("error",), lambda fields, id, _: model.Fail(id, fields.need("error", _text))),
}


def _template(value: Any, where: str) -> model.Template:
    return model.freeze(_parse_value(value, where))


def _parse_value(value: Any, where: str) -> Any:
    if isinstance(value, str) and value.startswith("$"):
        return value[1:] if value.startswith("$$") else _reference(value, where)
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise ConfigError(f"{where} has a field that is not named by a text; write a text")
        return {name: _parse_value(part, where) for name, part in value.items()}
    if isinstance(value, list):
        return [_parse_value(part, where) for part in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise ConfigError(f"{where} holds a {type(value).__name__}, which is not JSON; write a text")


def _reference(value: Any, where: str) -> model.Reference:
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    fields = _FIELD.findall(match[2]) if match is not None else []
    try:
        if match is not None and "".join(fields) == match[2]:
            return model.Reference(
                match[1],
                tuple(
                    field[1:] if field[0] == "." else str(decode(field[1:-1])) for field in fields
                ),
            )
    except Undecodable:
        pass
    raise ConfigError(
        f"{where} must be a reference like $input.order.id; $$ stands for the sign itself"
    )


def _condition(value: Any, where: str) -> model.Condition:
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ConfigError(f"{where} must be an object with one field, like {{'==': [..., ...]}}")
    ((op, operand),) = value.items()
    if op == "present":
        return model.Present(_reference(operand, where))
    if op == "not":
        return model.Not(_condition(operand, f"{where}.not"))
    if op in ("all", "any"):
        inner = tuple(_condition(part, f"{where}.{op}") for part in _list(operand, where))
        return model.All(inner) if op == "all" else model.Some(inner)
    sides = _list(operand, where)
    if len(sides) != 2 or op not in (*_OPERATORS, "in"):
        operators = ", ".join((*_OPERATORS, "in"))
        raise ConfigError(f"{where}: {op!r} must be one of {operators}, with a list of two")
    left, right = _reference(sides[0], where), _parse_value(sides[1], where)
    if op == "in":
        return model.OneOf(left, tuple(_list(right, where)))
    return model.Compare(left, op, right)


def _any(value: Any, where: str) -> Any:
    del where
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where} must be a text that is not empty")
    return value


def _number(value: Any, where: str) -> int:
    if type(value) is not int:
        raise ConfigError(f"{where} must be a whole number")
    return value


def _seconds(value: Any, where: str) -> int | model.Reference:
    is_reference = isinstance(value, str) and value.startswith("$")
    return _reference(value, where) if is_reference else seconds_of(value, where)


def _boolean(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{where} must be true or false")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(f"{where} must be a list")
    return value


def _effect(value: Any, where: str) -> Effect:
    try:
        return Effect(value)
    except ValueError:
        names = ", ".join(effect.value for effect in Effect)
        raise ConfigError(f"{where} must be one of {names}") from None


LARGEST: Final = 4 * 1024 * 1024
"""Bytes of a file: far more than a definition may have with any indentation."""
_DEEPEST: Final = 8 * DEEPEST
"""Levels of lists and objects in JSON: a block in a block takes up to four."""


def read_file(path: Path) -> model.Definition:
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
        try:
            document = decode(text, deepest=_DEEPEST)
        except Undecodable as error:
            raise ConfigError(f"{path}: it is not JSON: {error}") from None
        return read_definition(document, str(path))
    document = yaml_in(text, str(path))
    try:
        return read_definition(document, str(path))
    except ConfigError as error:
        raise ConfigError(_with_line(str(error), text, str(path))) from error


def _with_line(message: str, text: str, source: str) -> str:
    """Return a message with the line, in a YAML text, of the place at its beginning."""
    rest = message.removeprefix(source)
    path = re.match(r"(?:: |\.)?([\w.\[\]-]*)", rest)
    if rest == message or path is None:
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
    return f"{source}, line {line}{rest}"


def yaml_in(text: str, source: str) -> Json:
    """Return the value of a YAML text."""
    yaml = _yaml(source)
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent

    depth = 0
    try:
        for event in yaml.parse(text):  # which takes the square of the depth
            if isinstance(event, AliasEvent):
                raise ConfigError(f"{source}: anchors are not taken; write it out")
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            if depth > _DEEPEST:
                raise RecursionError
        value: Json = yaml.load(text)
    except RecursionError:
        raise ConfigError(f"{source} is nested too deep; flatten it") from None
    except (YAMLError, ValueError) as error:
        mark: Any = getattr(error, "problem_mark", None)
        place = "" if mark is None else f", line {mark.line + 1}"
        problem = getattr(error, "problem", None) or type(error).__name__
        raise ConfigError(f"{source}{place}: it is not YAML: {problem}") from error
    return value


def yaml_of(definition: model.Definition) -> str:
    """Return a definition as YAML, without the fields that are null."""
    from io import StringIO

    stream = StringIO()
    _yaml(definition.name).dump(_shorter(model.document_of(definition)), stream)
    return stream.getvalue()


def json_of(definition: model.Definition) -> str:
    """Return a definition as JSON, for people: indented, with every field."""
    return dumps(model.document_of(definition), indent=2) + "\n"


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
    """Leave out the fields that a reader fills in again, but not in a payload."""
    if isinstance(value, list):
        return [_shorter(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        name: part if name in ("payload", "result") else _shorter(part)
        for name, part in value.items()
        if part is not None
    }
