"""Ready-made probes for `leeward.app.idempotent`: whether an effect took place, by a read.

A probe says that nothing was done only where that stays true. It is asked after the run of the key
has ended, or its lease is over. But a request of the run may still be under way, and its receiver
may show it late. So `http_probe` looks twice before it says so, and `event_probe` never says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http.client import HTTPConnection, HTTPSConnection
from ssl import create_default_context
from typing import Any, Final, TypeAlias
from urllib.parse import unquote, urlsplit

from leeward.app.context import Context
from leeward.app.idempotency.settings import BY_KEY, LONGEST, Probe
from leeward.app.idempotency.settlement import PROBE_TIME
from leeward.app.idempotency.settling import CannotTell, Done, NotDone, ProbeAnswer
from leeward.clock import SystemClock
from leeward.errors import ConfigError
from leeward.json_text import Undecodable, decode
from leeward.logs import log_event
from leeward.text import percent_encode
from leeward.values import NOTHING

LOGGER = "leeward.idempotency"

KeyOf: TypeAlias = Callable[[str, Context | None, tuple[str, ...]], str | None]
"""Takes the key, context and notes of the call; returns the key to look up, or None."""

REQUEST_TIME: Final = 10.0  # seconds of one request
LARGEST_ANSWER: Final = 1024 * 1024  # bytes of an answer, at most


def item_probe(
    table: str,
    *,
    key: KeyOf | None = None,
    result: str | Callable[[Mapping[str, Any]], Any] | None = None,
    client: Any = None,
) -> Probe:
    """Return a probe for an effect that stores an item: it looks for the item.

    If the item is there, the effect took place. If it is not, it did not: a table has one home, and
    is read as it is now.

    Args:
        table: logical name.
        key: returns the key of the item, or None for `CannotTell`. By default the key of the call.
            Required if each principal has its own keys.
        result: what repeats get: a field of the item, or a function of it; by default None.
        client: a `leeward.Client`, for a coroutine function also an `AsyncClient`; by default the
            client of the app.
    """
    return _look_up(table, key or _key_of_call, result, client, NotDone())


def event_probe(
    table: str,
    *,
    key: KeyOf | None = None,
    result: str | Callable[[Mapping[str, Any]], Any] | None = None,
    client: Any = None,
) -> Probe:
    """Return a probe for an effect that publishes an event: it looks where a receiver keeps ids.

    If the id is there, the event was published. If it is not, that proves nothing: a bus delivers
    hours later. Then publish the event again, with the same id.

    Args:
        table: logical name of the table where a receiver stores an item for each event.
        key: returns the key of that item, or None for `CannotTell`. By default the last note of
            the runs: let the function note the id before it publishes.
        result: as of `item_probe`.
        client: as of `item_probe`.
    """
    return _look_up(table, key or _last_note, result, client, CannotTell())


def http_probe(
    url: str,
    *,
    settled_after: float,
    headers: Mapping[str, str] | Callable[[], Mapping[str, str]] = NOTHING,
    read: Callable[[Any, str], ProbeAnswer] | None = None,
    absent: Callable[[Any], bool] | None = None,
) -> Probe:
    """Return a probe for an effect at a service: it makes a GET request.

    With status 200 the effect took place, unless `read` decides otherwise. With 404 and a JSON
    object it did not. Anything else is `CannotTell`: a page of a proxy, another status, or a
    redirect, which is not followed. It uses no proxy.

    Before the probe says that nothing was done, it waits `settled_after` seconds and asks again. If
    the call has less time left, it cannot tell.

    Args:
        url: with ``{key}`` for the key of the call or ``{note}`` for the last note of its runs; and
            ``{principal}`` for the caller that the platform has identified. A function that keeps
            the keys of its principals apart needs ``{note}``, or ``{key}`` with ``{principal}``.
            A text with ``..`` or ``.`` between slashes is refused.
        settled_after: seconds after which the service has ended a request that it got, and shows
            what it did. 0 only if it refuses a request that it gets after the answer, and answers
            from what it has committed.
        headers: of the request, or a function that returns them.
        read: takes the JSON of an answer with status 200, and the key of the call; returns `Done`,
            `NotDone` or `CannotTell`. By default, `Done` with that JSON as the result.
        absent: takes the JSON of an answer with status 404, and returns whether it says that the
            effect is not there. Without it a 404 for a wrong path counts, too: try the probe with a
            key that exists.

    Raises:
        ConfigError: the URL has neither ``{key}`` nor ``{note}``, or it is not http or https; or
            `settled_after` is not a number of seconds.
    """
    _check(url, settled_after)

    def probe(key: str, context: Context | None, notes: tuple[str, ...]) -> ProbeAnswer:
        texts = {"{key}": key, "{note}": notes[-1] if notes else None}
        texts["{principal}"] = None if context is None else context.principal
        address = url
        for place, text in texts.items():
            if place in url and not text:
                return CannotTell()
            address = address.replace(place, _encode(text or ""))
        clock = SystemClock() if context is None else context.clock
        ends = clock.monotonic() + (PROBE_TIME if context is None else context.remaining())

        def ask() -> ProbeAnswer:
            given = headers() if callable(headers) else headers
            status, body = _get(address, given, min(REQUEST_TIME, ends - clock.monotonic()))
            if status == 404:
                return _read_404(body, absent)
            if status != 200:
                log_event(LOGGER, "warning", "probe_status", status=status)
                return CannotTell()
            return Done(decode(body)) if read is None else read(decode(body), key)

        answer = ask()
        if not isinstance(answer, NotDone) or settled_after == 0:
            return answer
        if ends - clock.monotonic() <= settled_after:
            return CannotTell()
        clock.sleep(settled_after)
        return ask()

    if "{key}" in url and not ("{note}" in url or "{principal}" in url):
        setattr(probe, BY_KEY, True)
    return probe


def _encode(text: str) -> str:
    """Return a text, quoted for a URL."""
    plain, before = text, ""
    while plain != before:
        plain, before = unquote(plain), plain
    if {".", ".."} & {*plain.replace("\\", "/").split("/")}:
        raise ValueError("a key, note or principal with a dot segment leads elsewhere")
    return percent_encode(text)


def _read_404(body: bytes, absent: Callable[[Any], bool] | None) -> ProbeAnswer:
    try:
        document = decode(body)
    except Undecodable:
        return CannotTell()
    says_so = isinstance(document, dict) and (absent is None or absent(document))
    return NotDone() if says_so else CannotTell()


def _check(url: str, settled_after: Any) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.netloc:
        raise ConfigError("url of a probe must begin with https:// and the name of a host")
    if "{" in parts.netloc or not ("{key}" in url or "{note}" in url):
        raise ConfigError("url of a probe needs {key} or {note}, behind the name of the host")
    is_number = isinstance(settled_after, int | float) and not isinstance(settled_after, bool)
    if not (is_number and 0 <= settled_after <= LONGEST):
        raise ConfigError(f"settled_after of a probe must be seconds, not {settled_after!r}")


def _look_up(
    table: str,
    key_of: KeyOf,
    result: str | Callable[[Mapping[str, Any]], Any] | None,
    client: Any,
    absent: ProbeAnswer,
) -> Probe:
    def read(item: Any) -> ProbeAnswer:
        if item is None:
            return absent
        if callable(result):
            return Done(result(item.item))
        return Done(None if result is None else item.item.get(result))

    def probe(key: str, context: Context | None, notes: tuple[str, ...]) -> Any:
        item_key = key_of(key, context, notes)
        if item_key is None:
            return CannotTell()
        reader = client
        if reader is None:
            if context is None:
                raise ConfigError("a probe outside of an app needs a client")
            reader = context.client
        item = reader.load_data(table, item_key)
        return _read_later(item, read) if isinstance(item, Awaitable) else read(item)

    if key_of is _key_of_call:
        setattr(probe, BY_KEY, True)
    return probe


async def _read_later(item: Awaitable[Any], read: Callable[[Any], ProbeAnswer]) -> ProbeAnswer:
    return read(await item)


def _key_of_call(key: str, _context: Context | None, _notes: tuple[str, ...]) -> str:
    return key


def _last_note(_key: str, _context: Context | None, notes: tuple[str, ...]) -> str | None:
    return notes[-1] if notes else None


def _get(url: str, headers: Mapping[str, str], seconds: float) -> tuple[int, bytes]:
    """Return status and body of an answer."""
    parts = urlsplit(url)
    seconds = max(0.001, seconds)
    connection = (
        HTTPSConnection(parts.netloc, timeout=seconds, context=create_default_context())
        if parts.scheme == "https"
        else HTTPConnection(parts.netloc, timeout=seconds)
    )
    try:
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection.request("GET", target, headers={"Accept": "application/json", **headers})
        response = connection.getresponse()
        body = response.read(LARGEST_ANSWER + 1)
        if len(body) > LARGEST_ANSWER:
            raise OSError(f"the answer has more than {LARGEST_ANSWER} bytes")
        return response.status, body
    finally:
        connection.close()
