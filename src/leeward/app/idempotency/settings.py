"""The settings of an idempotent function, checked once, when it is decorated.

They include where the key of a call comes from: the call itself, an argument, or a header.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache, cached_property
from gc import collect
from os import getpid
from typing import Any, Final, Literal, TypeAlias
from weakref import WeakValueDictionary, ref

from leeward.app.clients import async_client_class, client_class
from leeward.app.context import Context, current
from leeward.app.idempotency.digests import WIRE, keyed_digest, own_secret, record_id
from leeward.app.idempotency.errors import (
    Failures,
    KeyMissing,
    PrincipalMissing,
    Treatment,
    check_failures,
)
from leeward.app.idempotency.register import Register, source_text
from leeward.app.idempotency.settling import Doubt, SettleRequest
from leeward.app.idempotency.store import REGISTER, RecordLocation, TableClient
from leeward.app.signatures import is_coroutine_function, is_generator_function, parameters_of
from leeward.clock import Clock, SystemClock
from leeward.envelope import BY_GROUP, BY_TARGET, unquote
from leeward.errors import ConfigError
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.text import is_printable, is_token

HEADER: Final = "header:"
LONGEST_KEY: Final = 255  # characters, as with most services that take a key
LONGEST_QUESTION: Final = 1000
"""Characters that a person reads in a terminal. A longer text is refused, never cut."""

LEASE: Final = 60.0
"""Seconds that a run may take if neither its handler nor its call has a limit."""
MARGIN: Final = 10.0
"""Seconds by which a lease outlasts its call: 5 for writing the end, 5 for the last effect."""
LONGEST: Final = 1_576_800_000.0
"""Seconds, 50 years: a table keeps an item for at most 100, and a record for `keep` and a lease."""

BY_KEY: Final = "leeward_by_key"
"""The attribute of a probe that looks up the call's key, whoever its principal is."""

KeySource: TypeAlias = str | Callable[..., object] | None
Probe: TypeAlias = Callable[[str, Context, tuple[str, ...]], Any]
"""Takes a key, the context and the notes of its runs; returns a `ProbeAnswer`, or awaits one."""
ApprovalSource: TypeAlias = bool | Callable[..., bool | str]
PrincipalSource: TypeAlias = Callable[[Context], str | None] | Literal["platform", ""] | None


@show_only()
class Arguments(NamedTuple):
    """The arguments of a handler by name, without its context; and the context."""

    values: dict[str, Any]
    context: Any = None


class Signature(NamedTuple):
    """The parameters of a handler, and their defaults."""

    names: tuple[str, ...]
    defaults: Mapping[str, Any]

    def bind(
        self, positional: tuple[Any, ...], named: Mapping[str, Any], context: type
    ) -> Arguments:
        """Return the arguments of a call, by name; what does not fit is left to the handler."""
        values = dict(zip(self.names, positional, strict=False))
        if self.defaults or named:
            values = {**self.defaults, **values, **named}
        for name, value in values.items():
            if isinstance(value, context):
                del values[name]
                return Arguments(values, value)
        return Arguments(values)


_PLACES: Final[WeakValueDictionary[str, Identity]] = WeakValueDictionary()
"""The functions whose records are named by where they are defined."""


class Identity:
    """The name of a function's records, and where it comes from.

    Attributes:
        owner: the logical names of the app and the handler; None if it is not a handler.
        entered: returns the client that last found or wrote its row in the register, if alive.
    """

    def __init__(self, where: str, given: str | None) -> None:
        self.owner: str | None = None
        self.entered: Callable[[], object] = object
        self._where, self._given = where, given

    def enter(self, client: Any) -> None:
        """Note that `client` has seen its row in the register; the clients of an app share this."""
        self.entered = ref(getattr(client, "_operations", client))

    def bind(self, owner: str) -> None:
        """Name it by a handler, whose name stays when the code moves.

        Raises:
            ConfigError: it is the function of another handler.
        """
        if self._given is None and self.owner not in (None, owner):
            raise ConfigError(
                f"{self._where} is the idempotent function of {self.owner!r} and of {owner!r}, "
                "which would share their records or not; say @idempotent(name=...)"
            )
        self.owner = self.owner or owner
        vars(self).pop("name", None)

    @cached_property
    def name(self) -> str:
        """The name of its records in the table.

        Raises:
            ConfigError: it has no lasting name of its own.
        """
        return self._given or self.owner or self._check_place()

    def _check_place(self) -> str:
        """Return where the function is defined, if no other function is defined there."""
        name = self._where
        if "<" in name or name.startswith("__main__."):
            raise ConfigError(
                f"the records of {name} have no name that lasts: another program may have the same "
                "one. Make it a handler of an app, or say @idempotent(name=...)"
            )
        if _PLACES.setdefault(name, self) is not self:
            collect()  # what is gone may still be there, in a cycle
        if _PLACES.setdefault(name, self) is not self:
            raise ConfigError(
                f"two functions of this process are {name!r}, and would share their records; say "
                "@idempotent(name=...) for each"
            )
        return name


class IdempotencyOptions(NamedTuple):
    """The arguments of `idempotent`, which explains each."""

    table: str
    key: KeySource = None
    principal: PrincipalSource = ""
    lease: float | timedelta | None = None
    keep: float | timedelta = 86_400.0
    failures: Failures = None
    unreachable: str = "refuse"
    effects: str = "anywhere"
    unknown: str = "refuse"
    scope: str = "target"
    name: str | None = None
    client: TableClient | Callable[[], TableClient] | None = None
    clock: Clock | None = None
    probe: Probe | None = None
    approval: ApprovalSource = False


class IdempotencySettings(NamedTuple):
    """What holds for all calls of one function; `idempotent` explains each.

    Attributes:
        names_principal: it says whose a key is, or that all callers share keys.
        apart: each principal has keys of its own.
        read_question: returns the text for the person who must approve a call; None if nobody must.
    """

    identity: Identity
    options: IdempotencyOptions
    table: str
    signature: Signature
    read_key: Callable[[Arguments, Any], str]
    read_principal: Callable[[Context | None], str | None]
    names_principal: bool
    apart: bool
    lease: float | None
    keep: float
    failures: Mapping[type[Exception], Treatment]
    run_unrecorded: bool
    effects_marked: bool
    run_unknown: bool
    scope: str
    client: Callable[[Context | None], TableClient]
    clock: Clock
    awaited: bool
    probe: Probe | None
    read_question: Callable[[Arguments], str | None]

    @property
    def function(self) -> str:
        """The name of its records."""
        return self.identity.name

    @property
    def facts(self) -> Mapping[str, Any]:
        """How its records are kept, by name: for the register of its table, and for answers."""
        options, secret = self.options, own_secret()
        return {
            "name": self.function,
            "key": source_text(options.key),
            "principal": source_text(options.principal),
            "secret": keyed_digest("", secret) if secret else "none",
            "keep": self.keep,
            "effects": options.effects,
            "unreachable": options.unreachable,
            "digest": WIRE,
        }

    @property
    def register(self) -> Register | None:
        """Its entry in the register of its table; None if it is not a handler: nobody asks it."""
        owner = self.identity.owner
        return None if owner is None else Register(f"{REGISTER}{owner}", self.facts)

    def request(self, payload: str | None, voids: int, age: float | None) -> SettleRequest:
        """Return the request to settle the calls of a key; see `SettleRequest`."""
        return SettleRequest(
            payload,
            voids,
            age,
            self.keep,
            doubt=(Doubt.UNRECORDED, "") if self.run_unrecorded else None,
            marked=self.effects_marked,
            probed=self.probe is not None,
            apart=self.apart,
        )

    def locate(self, arguments: Arguments, context: Context | None) -> tuple[str, RecordLocation]:
        """Return the key of a call, and where its record is.

        Raises:
            PrincipalMissing: nothing says whose it is.
            KeyMissing: it has no key.
        """
        principal = self.read_principal(context)
        key = self.read_key(arguments, context)
        id = record_id(self.identity.name, key, principal, own_secret())
        return key, RecordLocation(self.table, id, self.keep, self.clock)


def check_options(function: Callable[..., Any], options: IdempotencyOptions) -> IdempotencySettings:
    """Check the arguments of `idempotent`."""
    if (
        isinstance(function, type)
        or not hasattr(function, "__qualname__")
        or not callable(function)
    ):
        raise ConfigError(
            f"@idempotent stands before a function, not a {type(function).__name__}; put it "
            "directly before the function, behind other decorators, or write one that calls this"
        )
    what = f"{function.__module__}.{function.__qualname__}"
    if is_generator_function(function):
        raise ConfigError(f"{what} is a generator: it runs late, without its key; return a list")
    parameters = parameters_of(function)
    if parameters.takes_any:
        raise ConfigError(f"{what} takes any arguments; name them, so that calls compare")
    names = (*parameters.positional, *parameters.keyword)
    table = _text(options.table, "table")
    name = None if options.name is None else _text(options.name, "name")
    if name is not None and ":" in name:  # a colon ends it in the table
        raise ConfigError(f"name of @idempotent must be without a colon, not {name!r}")
    awaited = is_coroutine_function(function)
    apart = options.principal not in ("", None)
    if apart and getattr(options.probe, BY_KEY, False):
        raise ConfigError(
            f"probe of {what} looks the key up alone, and two principals may have the same key: "
            "give item_probe a `key` that names the principal, or http_probe a URL with "
            "{principal} or {note}"
        )
    return IdempotencySettings(
        Identity(what, name),
        options,
        table,
        Signature(names, parameters.defaults),
        _key_reader(options.key, names, what),
        _principal_reader(options.principal, what),
        options.principal != "",
        apart,
        None if options.lease is None else _seconds(options.lease, "lease"),
        _seconds(options.keep, "keep"),
        check_failures(options.failures, what),
        _is_other(options.unreachable, "unreachable", "refuse", "run_and_flag"),
        _is_other(options.effects, "effects", "anywhere", "marked"),
        _is_other(options.unknown, "unknown", "refuse", "run"),
        BY_GROUP if _is_other(options.scope, "dedup_scope", BY_TARGET, BY_GROUP) else BY_TARGET,
        _client_opener(options.client, awaited=awaited),
        options.clock or SystemClock(),
        awaited,
        _check_probe(options.probe, awaited),
        _question_reader(options, what),
    )


def _question_reader(options: IdempotencyOptions, what: str) -> Callable[[Arguments], str | None]:
    """Return a function that says whether a person must approve a call, and the text to read."""
    source: Any = options.approval
    if source is False:
        return lambda _arguments: None
    if source is not True and (not callable(source) or is_coroutine_function(source)):
        raise ConfigError(
            f"approval of {what} must be True, or a plain function of its arguments that returns "
            f"True, False or what the person reads, not {source!r}"
        )
    if options.unreachable != "refuse":
        raise ConfigError(
            f'{what} has approval and unreachable="run_and_flag", which would run a call that '
            "nobody has approved; leave unreachable out"
        )

    def read(arguments: Arguments) -> str | None:
        answer: object = source(**arguments.values) if callable(source) else source
        if isinstance(answer, str) and len(answer) <= LONGEST_QUESTION:
            return answer
        if isinstance(answer, bool):
            return "" if answer else None
        flaw = f"a text of {len(answer)}" if isinstance(answer, str) else type(answer).__name__
        raise ConfigError(
            f"approval of {what} must return True, False or a text of at most {LONGEST_QUESTION} "
            f"characters, not {flaw}. It did not run"
        )

    return read


def _check_probe(probe: Any, awaited: bool) -> Probe | None:
    if probe is None or (callable(probe) and (awaited or not is_coroutine_function(probe))):
        checked: Probe | None = probe
        return checked
    kind = "a plain function, as the function itself is" if callable(probe) else "a function"
    raise ConfigError(
        f"probe of @idempotent must be {kind}: it takes the key, the context and the notes"
    )


def _text(value: object, field: str) -> str:
    if not isinstance(value, str) or not value or not is_printable(value):
        raise ConfigError(f"{field} of @idempotent must be a printable text, not {value!r}")
    return value


def _seconds(value: object, field: str) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ConfigError(f"{field} of @idempotent must be seconds or a timedelta, not {value!r}")
    if not 0 < seconds <= LONGEST:
        bounds = f"more than 0 and at most {LONGEST:.0f} seconds"
        raise ConfigError(f"{field} of @idempotent must be {bounds}, not {value!r}")
    return float(seconds)


def _is_other(value: object, field: str, default: str, other: str) -> bool:
    """Return whether it is the second of two words."""
    if value not in (default, other):
        raise ConfigError(f"{field} of @idempotent must be {default!r} or {other!r}, not {value!r}")
    return value == other


def _client_opener(
    client: TableClient | Callable[[], TableClient] | None, *, awaited: bool
) -> Callable[[Context | None], TableClient]:
    """Return a function that returns the client of a call, checked when it is first needed."""
    if client is None:
        return lambda context: _running_client(context, awaited)
    if callable(client):
        opened = cache(lambda _process: _check_client(client(), awaited))  # none crosses a fork
        return lambda _context: opened(getpid())
    checked = _check_client(client, awaited)
    return lambda _context: checked


def _running_client(context: Context | None, awaited: bool) -> TableClient:
    """Return the client of the app; a thread that a handler started has it from `context` only."""
    for candidate in (context, current()):
        if candidate is not None and candidate.clients is not None:
            return candidate.async_client if awaited else candidate.client
    return _default_client(awaited)


@cache
def _default_client(awaited: bool) -> TableClient:
    return async_client_class()() if awaited else client_class()()


def _check_client(client: TableClient, awaited: bool) -> TableClient:
    method = getattr(client, "store_data", None)
    if method is None:
        raise ConfigError(
            f"client of @idempotent must be a leeward.Client, not a {type(client).__name__}"
        )
    if is_coroutine_function(method) is not awaited:
        kind, needed = ("coroutine function", "AsyncClient") if awaited else ("function", "Client")
        raise ConfigError(f"client of @idempotent must be a leeward.{needed}, for a {kind}")
    return client


def _key_reader(
    source: KeySource, names: tuple[str, ...], what: str
) -> Callable[[Arguments, Any], str]:
    """Return a function that reads the key from a call's arguments and context (or None)."""
    if source is None:
        return lambda arguments, context: _check_key(
            getattr(context or arguments.context, "idempotency_key", None), "Idempotency-Key"
        )
    if callable(source):
        return lambda arguments, _context: _check_key(source(**arguments.values), "the function")
    if type(source) is not str or not source:
        raise ConfigError(f"key of {what} must be a text, a function or None, not {source!r}")
    if source.startswith(HEADER):
        return _header_reader(source.removeprefix(HEADER), what)
    first, *rest = source.split(".")
    if first not in names:
        raise ConfigError(
            f"key of {what} is {source!r}, and there is no parameter {first!r}; begin with one of "
            f"{', '.join(names)}, or with {HEADER}"
        )
    if "" in rest:
        raise ConfigError(f"key of {what} is {source!r}, which has an empty part")
    return lambda arguments, _context: _check_key(
        _follow(arguments.values.get(first), rest), source
    )


def _header_reader(name: str, what: str) -> Callable[[Arguments, Any], str]:
    if not is_token(name):
        raise ConfigError(f"key of {what} names no header; write {HEADER}Idempotency-Key")

    def read(arguments: Arguments, context: Any) -> str:
        headers: Mapping[str, str] = getattr(context or arguments.context, "headers", None) or {}
        for header, text in headers.items():
            if header.lower() == name.lower():
                return _check_key(unquote(text.strip()), f"{HEADER}{name}")
        return _check_key(None, f"{HEADER}{name}")

    return read


def _follow(value: Any, path: list[str]) -> Any:
    """Return the value at a path of attributes, fields and list places; None if absent."""
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list | tuple) and part.isascii() and part.isdecimal():
            value = value[int(part)] if int(part) < len(value) else None
        else:
            value = getattr(value, part, None) if not part.startswith("_") else None
    return value


def _check_key(key: object, field: str) -> str:
    """Return the key as text."""
    if type(key) is int or (not isinstance(key, str | None) and _is_uuid(key)):
        key = str(key)
    if isinstance(key, str) and 0 < len(key) <= LONGEST_KEY:
        return str.__str__(key)  # an Enum is formatted as its name by some versions of Python
    if key is None or key == "":
        flaw = f"this call needs an idempotency key, and there is none at {field}"
    elif isinstance(key, str):
        flaw = f"the idempotency key at {field} has {len(key)} characters, at most {LONGEST_KEY}"
    else:
        flaw = f"the idempotency key at {field} must be text, int or UUID, not {type(key).__name__}"
    raise KeyMissing(f"{flaw}. It did not run", field=field)


def _is_uuid(key: object) -> bool:
    from uuid import UUID

    return isinstance(key, UUID)


def _principal_reader(source: PrincipalSource, what: str) -> Callable[[Context | None], str | None]:
    """Return a function that returns the owner of a call's key; None if all callers share keys."""
    if source is None or source == "":
        return lambda _context: None
    if source != "platform" and not callable(source):
        raise ConfigError(
            f"principal of {what} must be None, 'platform' or a function of the context, not "
            f"{source!r}"
        )

    def read(context: Context | None) -> str | None:
        principal = None
        if context is not None:
            principal = source(context) if callable(source) else context.principal
        if isinstance(principal, str) and principal:
            return str.__str__(principal)
        raise PrincipalMissing(
            f"{what} keeps the keys of each caller apart, and nothing says who this caller is. It "
            "did not run"
        )

    return read
