"""What operators find in their logs: events with stable names, at loggers below ``leeward``.

An event is its name and some facts: names, ids, numbers, classes of exceptions and the places in
the code that they come from. Never content: no payload, no item, no text of an exception that is
not leeward's own, at any level. `logging` is loaded with the first event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Literal, TypeAlias

from leeward.errors import InvalidRequest, LeewardError, is_from_signal
from leeward.text import message_of

Fact: TypeAlias = str | int | float | None

MOST_PLACES: Final = 8
"""Places in the code of one exception: the first half of them, and the last."""

MOST_CAUSES: Final = 4  # exceptions that are named besides the one that was raised
LONGEST_TEXT: Final = 500  # characters of the text of an error of leeward's own
_OWN: Final = __file__.removesuffix("logs.py")  # the directory of leeward's own code

_CARRIERS: Final = ("importlib/__init__.py", "concurrent/futures/_base.py")
"""Ends of files through which Python imports modules, and waits for coroutines."""


def log_event(
    logger: str, level: Literal["debug", "info", "warning", "error"], name: str, /, **facts: Fact
) -> None:
    """Log an event, as ``name fact='text' other=1``.

    The record's `msg` is the same for all events of one name, and its `args` are the facts by name,
    for whoever writes logs as JSON.
    """
    import logging

    text = " ".join([name, *(f"{fact}=%({fact})r" for fact in facts)])
    with only_watching():  # what a handler or a filter raises, there is no other place to say
        getattr(logging.getLogger(logger), level)(text, facts, stacklevel=2)


@contextmanager
def only_watching(report: Callable[[Exception], object] | None = None) -> Iterator[None]:
    """Run somebody's code that only watches: what it raises changes nothing, and goes to `report`.

    What asks this thread to end goes on: an interrupt, an exit, a cancellation, which are no
    `Exception`, and whatever the handler of a signal raises.
    """
    try:
        yield
    except Exception as error:
        if is_from_signal(error):
            raise
        if report is not None:
            report(error)


def failure_facts(error: BaseException) -> dict[str, Fact]:
    """Return what a log may have of an exception: where it comes from, and from which others.

    That is file, line and function of each place, and nothing of what was there: ``at`` of itself,
    ``causes`` of those behind it. Its ``text`` only if it is one of leeward's own errors; not of an
    `InvalidRequest`, which quotes what a handler has passed on.
    """
    facts: dict[str, Fact] = {}
    places = places_of(error)
    if places:
        facts["at"] = ", ".join(places)
    if isinstance(error, LeewardError) and not isinstance(error, InvalidRequest):
        text = message_of(error) if type(error).__module__.startswith("leeward.") else None
        if text:
            facts["text"] = text[:LONGEST_TEXT]
    causes = []
    for cause in _behind(error):
        at = ", ".join(places_of(cause))
        name = type(cause).__name__
        causes.append(f"{name} at {at}" if at else name)
        if len(causes) == MOST_CAUSES:
            break
    if causes:
        facts["causes"] = "; ".join(causes)
    return facts


def import_flaw(error: BaseException) -> str:
    """Return why a module of the user's cannot be imported: the class, what is missing, the place.

    Its text is shown only if it is leeward's own, or Python's about the source.
    """
    name = type(error).__name__
    if isinstance(error, SyntaxError):
        at = error.filename and f" at {error.filename}:{error.lineno}"
        return f"{name}{at or ''}: {error.msg}"
    missing = ""
    if isinstance(error, ImportError) and error.name:
        is_missing = isinstance(error, ModuleNotFoundError)
        missing = f": no module {error.name!r}" if is_missing else f" of {error.name!r}"
    text = failure_facts(error).get("text")
    places = places_of(error)
    at = f" at {places[-1].partition(' ')[0]}" if places else ""
    return f"{name}{missing}{at}: {text}" if text else f"{name}{missing}{at}"


def places_of(error: BaseException) -> list[str]:
    """Return the places that an exception comes from, the innermost last, without leeward's own.

    Each is ``file:line function``. At most `MOST_PLACES`: those that a handler has begun with, and
    the innermost, which may be deep in a library. Leeward's own innermost place is there if the
    exception is not one that leeward means to raise.
    """
    places: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        file = code.co_filename
        is_own = file.startswith(_OWN) and (trace.tb_next or isinstance(error, LeewardError))
        if not (is_own or file.startswith("<frozen importlib") or file.endswith(_CARRIERS)):
            places.append(f"{file}:{trace.tb_lineno} {code.co_qualname}")
        trace = trace.tb_next
    half = MOST_PLACES // 2
    return places if len(places) <= MOST_PLACES else [*places[:half], *places[-half:]]


def traceback_of(error: BaseException) -> str:
    """Return the traceback of an exception and of those behind it, without leeward's own frames.

    Only for the terminal of who runs the code on their own machine: it has texts of exceptions and
    lines of source, which no log may have.
    """
    from traceback import TracebackException

    shown = TracebackException.from_exception(error)
    left: list[TracebackException | None] = [shown]
    while left:
        one = left.pop()
        if one is not None:
            one.stack[:] = [frame for frame in one.stack if not frame.filename.startswith(_OWN)]
            left += [one.__cause__, one.__context__, *(one.exceptions or ())]
    return "".join(shown.format()).rstrip()


def _behind(error: BaseException) -> Iterator[BaseException]:
    """Yield what an exception comes from, the nearest first: causes, and members of a group."""
    seen, todo = {id(error)}, [error]
    while todo:
        one = todo.pop(0)
        cause = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        members = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        for exception in (cause, *members):
            if exception is not None and id(exception) not in seen:
                seen.add(id(exception))
                todo.append(exception)
                yield exception
