"""Where the key of a call comes from: the call itself, an argument, its payload, or a header."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from os import environ
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from leeward.app.context import Context
from leeward.app.idempotency.errors import KeyMissing, PrincipalMissing
from leeward.app.idempotency.payload import HEX_DIGITS, digest_of_text
from leeward.app.signatures import parameters_of
from leeward.errors import ConfigError
from leeward.masking import mask
from leeward.text import is_token

HEADER: Final = "header:"
LONGEST_KEY: Final = 255
"""Characters, as with most services that take a key."""
READABLE: Final = 128
"""Characters up to which a key stands in the table as it is, so that an operator finds it."""

REF_DIGITS: Final = 12

KeySource: TypeAlias = str | Callable[..., object] | None

PrincipalSource: TypeAlias = Callable[[Context], str | None] | Literal["platform", ""] | None

VARIABLE: Final = "LEEWARD_KEYS_SECRET"
"""The variable with the secret of `record_id`."""
LEAST: Final = 32
"""Characters: 128 bits in hex."""


class Arguments(NamedTuple):
    """What a handler was called with, by name, its context left out; and the context."""

    values: dict[str, Any]
    context: Any = None

    def __repr__(self) -> str:
        return mask(self)


class Signature(NamedTuple):
    """The parameters of a handler, and their defaults."""

    names: tuple[str, ...]
    defaults: Mapping[str, Any]

    def bind(
        self,
        positional: tuple[Any, ...],
        named: Mapping[str, Any],
        context: type,
    ) -> Arguments:
        """Return the arguments of a call, by name; what does not fit is left to the handler.

        Args:
            positional: as they were given.
            named: as they were given.
            context: the class of the one that stands beside what the call is about.
        """
        values = dict(zip(self.names, positional, strict=False))
        if self.defaults or named:
            values = {**self.defaults, **values, **named}
        for name, value in values.items():
            if isinstance(value, context):
                del values[name]
                return Arguments(values, value)
        return Arguments(values)


def signature_of(function: Callable[..., Any], what: str) -> Signature:
    """Read the parameters of a handler.

    Raises:
        ConfigError: it takes any number of them, so that two calls cannot be compared.
    """
    names, defaults, takes_any = parameters_of(function)
    if takes_any:
        raise ConfigError(f"{what} takes any arguments; name them, so that calls compare")
    return Signature(names, defaults)


def key_reader(
    source: KeySource, names: tuple[str, ...], what: str
) -> Callable[[Arguments, Any], str]:
    """Return what takes the key out of a call: its arguments, and its running context or None.

    Args:
        source: None for the key that came with the call; ``header:Name``; a path such as
            ``order.id``, which begins with a parameter; or a function of the handler's arguments.
        names: the parameters.
        what: the handler, for messages.

    Raises:
        ConfigError: there is no such parameter.
    """
    if source is None:
        return _own_key
    if callable(source):
        return lambda arguments, _context: _checked(source(**arguments.values), "the function")
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
    return lambda arguments, _context: _checked(
        _followed(arguments.values.get(first), rest), source
    )


def principal_reader(source: PrincipalSource, what: str) -> Callable[[Context | None], str | None]:
    """Return what says whose the key of a call is; None for all callers alike.

    Args:
        source: None, or "" for nothing said; ``platform``; or a function of the call's context.
        what: the handler, for messages.

    Raises:
        ConfigError: it is something else.
    """
    if source is None or source == "":
        return lambda _context: None
    if source != "platform" and not callable(source):
        raise ConfigError(
            f"principal of {what} must be None, 'platform' or a function of the context, not "
            f"{source!r}"
        )
    read = source if callable(source) else _of_platform

    def checked(context: Context | None) -> str | None:
        principal = None if context is None else read(context)
        if isinstance(principal, str) and principal:
            return str.__str__(principal)
        raise PrincipalMissing(
            f"{what} keeps the keys of each caller apart, and nothing says who this caller is. It "
            "did not run"
        )

    return checked


def _of_platform(context: Context) -> str | None:
    return context.principal


def secret_in(env: Mapping[str, str]) -> bytes:
    """Return the secret that the environment has for `record_id`; empty for none.

    Raises:
        ConfigError: it is too short to keep anybody from trying all.
    """
    secret = env.get(VARIABLE, "")
    if 0 < len(secret) < LEAST:
        raise ConfigError(f"{VARIABLE} must have at least {LEAST} characters; take random ones")
    return secret.encode(errors="surrogateescape")


@cache
def own_secret() -> bytes:
    """Return the secret of this process: to look into the environment costs much, for a call."""
    return secret_in(environ)


def record_id(function: str, key: str, principal: str | None = None, secret: bytes = b"") -> str:
    """Return under which id a table keeps the record of a key.

    Args:
        function: the name of its records.
        key: as the call has it.
        principal: whose it is; None for all callers alike. Of two principals, none meets the
            other's records.
        secret: makes what stands in the table a keyed digest; without one a key stands there as it
            is, where it can, so that an operator finds it.
    """
    if secret or principal is not None:
        owned = f":{key}" if principal is None else f"{len(principal)}:{principal}{key}"
        if secret:
            return f"{function}:hmac:{keyed_digest(owned, secret)}"
        return f"{function}:principal:{digest_of_text(owned)}"
    readable = len(key) <= READABLE and key.isascii() and key.isprintable() and " " not in key
    if readable and not key.startswith(("sha256:", "principal:", "hmac:")):
        return f"{function}:{key}"
    return f"{function}:sha256:{digest_of_text(key)}"


def record_ref(id: str) -> str:
    """Return by what messages and logs name the record with an id: nothing of its key is in it."""
    return digest_of_text(id)[:REF_DIGITS]


def keyed_digest(text: str, secret: bytes) -> str:
    """Return a digest that nobody can make, or try texts with, who lacks the secret."""
    from hmac import digest

    made = digest(secret, text.encode("utf-8", "surrogatepass"), "sha256")
    return made.hex()[:HEX_DIGITS]


def unquoted(text: str) -> str:
    """Return a header's key bare: the draft has it in quotes, and most clients send it without."""
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    return text[1:-1].replace('\\"', '"').replace("\\\\", "\\") if quoted else text


def _own_key(arguments: Arguments, context: Any) -> str:
    found = context if context is not None else arguments.context
    return _checked(getattr(found, "idempotency_key", None), "Idempotency-Key")


def _header_reader(name: str, what: str) -> Callable[[Arguments, Any], str]:
    if not is_token(name):
        raise ConfigError(f"key of {what} names no header; write {HEADER}Idempotency-Key")
    wanted = name.lower()

    def read(arguments: Arguments, context: Any) -> str:
        found = context if context is not None else arguments.context
        headers: Mapping[str, str] = getattr(found, "headers", None) or {}
        for header, text in headers.items():
            if header.lower() == wanted:
                return _checked(unquoted(text.strip()), f"{HEADER}{name}")
        return _checked(None, f"{HEADER}{name}")

    return read


def _followed(value: Any, path: list[str]) -> Any:
    """Return what a path leads to: an attribute, a field, a place in a list; None for nothing."""
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list | tuple) and part.isascii() and part.isdecimal():
            value = value[int(part)] if int(part) < len(value) else None
        else:
            value = getattr(value, part, None) if not part.startswith("_") else None
    return value


def _checked(key: object, field: str) -> str:
    """Return the key as text.

    Raises:
        KeyMissing: it is not there, or nothing that could be one.
    """
    if type(key) is int or (not isinstance(key, str | None) and _is_uuid(key)):
        key = str(key)
    if isinstance(key, str) and 0 < len(key) <= LONGEST_KEY:
        return str.__str__(key)  # an Enum is formatted as its name by some versions of Python
    if key is None or key == "":
        told = f"this call needs an idempotency key, and there is none at {field}"
    elif isinstance(key, str):
        told = f"the idempotency key at {field} has {len(key)} characters, at most {LONGEST_KEY}"
    else:
        told = f"the idempotency key at {field} must be text, int or UUID, not {type(key).__name__}"
    raise KeyMissing(f"{told}. It did not run", field=field)


def _is_uuid(key: object) -> bool:
    from uuid import UUID

    return isinstance(key, UUID)
