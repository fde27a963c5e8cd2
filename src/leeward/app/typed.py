"""Calls and items by the types of the user's own program.

A function of an app that is called as itself takes what it is annotated with, and answers that. An
answer or an item that came and does not fit its type raises `ValidationError`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leeward.app.answers import InvalidInput, json_of
from leeward.app.decoding import decoder_of
from leeward.app.handlers import Handler
from leeward.app.signatures import HANDLERS
from leeward.app.structures import Reader
from leeward.errors import InvalidRequest, ValidationError
from leeward.records import NamedTuple
from leeward.values import InvokeResult, ItemPage, Json, Record


class TypedCall(NamedTuple):
    """A call of a function that was given as itself; `read` decodes its result."""

    function: str
    payload: Json
    read: Callable[[InvokeResult], InvokeResult]


def typed_call(function: object, payload: object) -> TypedCall:
    """Return the call of a function of an app.

    Raises:
        InvalidRequest: it is not a function of an app, or one of several names.
        ConfigError: nothing can be read into the type that it returns.
    """
    handlers: tuple[Handler, ...] = getattr(function, HANDLERS, ())
    calls = [handler for handler in handlers if handler.is_call]
    if len(calls) != 1:
        names = ", ".join(repr(call.name) for call in calls)
        flaw = (
            f"has several names: {names}; give one of them"
            if calls
            else "is neither a name nor a function of an app; put @app.function() above it"
        )
        raise InvalidRequest(f"function {flaw}", field="function")
    (handler,) = calls
    read, what = handler.read_answer, f"the answer of {handler.name!r}"

    def read_answer(result: InvokeResult) -> InvokeResult:
        return result._replace(value=_read(read, result.value, what, result))

    return TypedCall(handler.name, _payload_json(payload), read_answer)


def item_reader(kind: Any) -> Callable[[Record | None], Record | None]:
    """Return what makes of a record one whose item is a `kind`."""
    read = decoder_of(kind, "as_")

    def read_item(record: Record | None) -> Record | None:
        if record is None:
            return None
        return record._replace(item=_read(read, record.item, "the item", record))

    return read_item


def page_reader(kind: Any) -> Callable[[ItemPage], ItemPage]:
    """Return what makes of a page one whose items are each a `kind`."""
    read = decoder_of(kind, "as_")

    def read_page(page: ItemPage) -> ItemPage:
        items = (
            record._replace(item=_read(read, record.item, f"the item at items[{at}]", page))
            for at, record in enumerate(page.items)
        )
        return page._replace(items=tuple(items))

    return read_page


def _read(read: Reader, value: object, what: str, result: InvokeResult | Record | ItemPage) -> Any:
    try:
        return read(value)
    except InvalidInput as error:
        flaws = ". ".join(map(str, error.flaws))
    raise ValidationError(
        f"{what} does not fit its type: {flaws}. The call itself went well; "
        "the exception's result has what came",
        result=result,
        target=result.target,
        attempts=result.attempts,
    )


def _payload_json(payload: object) -> Json:
    try:
        return json_of(payload)
    except (TypeError, RecursionError):
        return payload  # whoever encodes it names the place of what is wrong
