"""What a handler returns, as JSON; and the answer that every platform's runtime sends."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from leeward.app.problem import (
    NOT_JSON,
    RESPONSE_TOO_LARGE,
    Failure,
    Problem,
    fault_fields,
)
from leeward.envelope import (
    UNBOUND,
    answer_headers,
    sealed,
    sealed_failure,
    sealed_refusal,
    why_refused,
)
from leeward.json_text import decode, encode
from leeward.masking import mask
from leeward.values import Json

_JSON = ("content-type", "application/json")

_SCALARS: Final = frozenset({str, int, bool, float, type(None)})
"""What is in JSON as it is."""


class Answer(NamedTuple):
    """What came of a call, before a platform's runtime gives it a form.

    Attributes:
        body: JSON: the value, or what is told of a failure.
        failure: None for a success.
        dedup: what is said of repeated keys; None says nothing.
    """

    body: bytes
    failure: Failure | None = None
    dedup: str | None = None

    def __repr__(self) -> str:
        return mask(self, "failure dedup")

    @property
    def status(self) -> int:
        """Return the status of HTTP."""
        return 200 if self.failure is None else self.failure.status

    def headers(self, mark: str = UNBOUND) -> tuple[tuple[str, str], ...]:
        """Return the headers of HTTP; the mark is on each answer."""
        found = (_JSON, *answer_headers(self.dedup, mark))
        wait = self.failure.retry_after if self.failure else None
        return found if wait is None else (*found, ("retry-after", str(max(1, round(wait)))))

    def envelope(self, mark: str) -> dict[str, Json]:
        """Return it in an envelope, for a platform that passes on no headers of answers."""
        told = decode(self.body)
        if self.failure is None:
            return sealed(told, self.dedup, mark)
        if self.is_repeat:
            return sealed_refusal(self.dedup, told, self.failure.retry_after, mark)
        return sealed_failure(self.dedup, told, self.failure.retry_after, mark)

    @property
    def is_repeat(self) -> bool:
        """Return whether it refuses a repeat, which is not a failure of the function."""
        return self.failure is not None and why_refused(decode(self.body), self.dedup) is not None


def failed(failure: Failure, dedup: str | None = None) -> Answer:
    """Return the answer of a call that has failed."""
    return Answer(encode(dict(fault_fields(failure))), failure, dedup)


def encoded(value: Any, limit: int | None) -> bytes:
    """Write what a handler has returned.

    Args:
        value: of it.
        limit: as of `written`.

    Raises:
        Problem: as `written` does.
    """
    if value is None:
        return b"null"
    try:
        return written(plain(value), limit)
    except TypeError:
        flawed = plain(value, strict=False)
    except RecursionError:
        flawed = value
    raise not_json(flawed)


def written(value: Any, limit: int | None) -> bytes:
    """Write an answer that is JSON already.

    Args:
        value: the answer.
        limit: bytes that the platform passes on; None for no limit.

    Raises:
        Problem: it is not JSON, or too large; its status is 500, for the work is done.
    """
    try:
        body = encode(value)
    except (TypeError, ValueError, RecursionError):
        body = None
    if body is None:
        raise not_json(value)
    if limit is not None and len(body) > limit:
        raise Problem(
            f"the answer has {len(body)} bytes, at most {limit} are passed on; "
            "return a reference to the data",
            status=500,
            reason=RESPONSE_TOO_LARGE,
            retryable=False,
        )
    return body


def not_json(value: Any) -> Problem:
    """Return the problem of an answer that is not JSON, with the place.

    Names in it are shown where they look like those that code gives: others may be content.
    """
    import re

    from leeward._items.checks import json_flaw

    flaw = json_flaw(value)
    told = "answer is not JSON: return None, bool, int, finite float, str, list or dict"
    if flaw is not None:
        code = re.compile(r"\['[A-Za-z_]\w{0,39}'\]|\[\d+\]")
        steps = [each if code.fullmatch(each) else "[...]" for each in flaw.steps]
        told = f"answer{''.join(steps)} {flaw.fault}"
    return Problem(told, status=500, reason=NOT_JSON, retryable=False)


def plain(value: Any, *, strict: bool = True) -> Json:
    """Return `value` as JSON has it, or as it is, where that is not known.

    Dataclasses, NamedTuples and models become objects; a Decimal, a time, an id and bytes become
    the text that `leeward.app.decoding` reads again.

    Raises:
        TypeError: a key of a mapping is not text; with `strict`, for such is written else.
    """
    if type(value) in _SCALARS:
        return value
    if type(value) is dict:
        made = {}
        for name, inner in value.items():
            if strict and type(name) is not str:
                raise TypeError("a key is not text")
            made[name] = inner if type(inner) in _SCALARS else plain(inner, strict=strict)
        return made
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: plain(getattr(value, name), strict=strict) for name in value._fields}
    if isinstance(value, list | tuple):
        return [plain(each, strict=strict) for each in value]
    if hasattr(value, "__dataclass_fields__"):
        return {
            name: plain(getattr(value, name), strict=strict) for name in value.__dataclass_fields__
        }
    return _scalar(value, strict=strict)


def _scalar(value: Any, *, strict: bool) -> Json:
    from enum import Enum

    from leeward.app.models import dumped

    if isinstance(value, Enum):
        return plain(value.value, strict=strict)
    if isinstance(value, bytes):
        from base64 import b64encode

        return b64encode(value).decode("ascii")
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    if name == "decimal.Decimal":
        return str(value) if value.is_finite() else value
    if name in ("datetime.datetime", "datetime.date"):
        return value.isoformat()
    if name == "uuid.UUID":
        return str(value)
    return dumped(value)
