"""Dead letters: why each was given up and whether it ran; moved back or deleted, one or many.

A target with a database keeps its letters itself. Those of a cloud are in a queue, which hides for
a moment what somebody looks at: so nobody looks there without asking for it.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from contextlib import closing
from itertools import islice
from typing import Final, NamedTuple

from leeward.cli.dead_letters import (
    Letters,
    MoveOptions,
    delete_letters,
    is_row_id,
    keeps_letters,
    letters_of,
    redrive,
)
from leeward.errors import InvalidRequest, NotFound
from leeward.views import Column, Format, Report, Table, count
from leeward.views.letters import (
    FoundLetter,
    Moved,
    explain_rest,
    list_letters,
    row_of,
    show_letters,
)
from leeward_dev.console.handlers import RUNS
from leeward_dev.console.handlers import row_of as row_of_run
from leeward_dev.console.html import Content, element
from leeward_dev.console.layout import (
    PAYLOAD,
    ROWS,
    Notice,
    Page,
    Visit,
    address,
    button,
    confirmation,
    form,
    link,
    pager,
    show_action,
    show_parts,
)

MANY: Final = 500
"""Letters of one page for who wants many; a form has at most twice as many fields."""

ENDED, _, ATTEMPT, END, PLACE = RUNS

HISTORY: Final = (ATTEMPT, ENDED, END, Column("Text", "text", Format.WHOLE), PLACE)


class LetterSource(NamedTuple):
    """Where dead letters are.

    Attributes:
        target: its name.
        queue: of a cloud; None for a target that keeps its letters itself.
    """

    target: str
    queue: str | None = None

    def __str__(self) -> str:
        """Write it as a page names it."""
        return self.target if self.queue is None else f"{self.queue} at {self.target}"


def places(visit: Visit) -> list[LetterSource]:
    """Return where dead letters may be: targets with a database, queues of [dead_letters]."""
    places_ = []
    for driver in visit.drivers.values():
        if keeps_letters(driver):
            places_.append(LetterSource(driver.target))
        else:
            places_ += [
                LetterSource(driver.target, queue) for queue in visit.sources.config.dead_letters
            ]
    return places_


def show(visit: Visit) -> Page:
    """Return a page of letters; or one letter, with what was delivered if somebody asks for it."""
    places_ = places(visit)
    place = _known_source(visit, places_)
    named = (link(f"{place_}", "letters", **_place_fields(place_)) for place_ in places_)
    links = element("ul", (element("li", link) for link in named), class_="plain")
    if place is None:
        if not places_:
            return Page("Dead letters", element("p", "No target here has dead letters."))
        hint = "Looking into a queue of a cloud hides its letters from others for a moment."
        return Page("Dead letters", [element("p", hint), links])
    if "id" in visit.query:
        return _show_letter(visit, place)
    return _show_letters(visit, place, links if len(places_) > 1 else None)


def _show_letters(visit: Visit, place: LetterSource, links: Content) -> Page:
    letters = letters_at(visit, place)
    limit = MANY if visit.query.get("many") else ROWS
    with closing(letters.each(visit.query.get("after"))) as walk:
        letters_ = [*islice(walk, limit + 1)]
    shown = letters_[:limit]
    rows = [row_of(place.target, letter) for letter in shown]
    where = _place_fields(place)
    report = list_letters(rows, {}, visit.now, place.queue)
    id = "letters" if place.queue is None else None
    listed = show_parts(visit, report, id=id, choose=True)
    actions = element(
        "div",
        element("label", element("input", type="checkbox", data_all="id"), " All of this page"),
        button("Redrive those chosen", value="redrive"),
        button("Delete those chosen", value="delete", kind="danger"),
        class_="actions",
    )
    body = [
        form(visit, address("letters", **visit.query), actions, listed) if rows else None,
        listed if not rows or not visit.sources.can_write else None,
    ]
    is_more = len(letters_) > limit
    can_turn = letters.is_in_order and shown
    after = where | {"after": shown[-1].id} if is_more and can_turn else None
    first = where if "after" in visit.query else None
    many = link(f"{MANY} on a page", "letters", **where, many="yes") if is_more else None
    parts = [links, body, pager(visit, first=first, after=after), many]
    # A page that is read again would hide the letters of a queue again and again.
    return Page("Dead letters", parts, is_live=place.queue is None)


def _show_letter(visit: Visit, place: LetterSource) -> Page:
    """Return one message: its attempts, and the letter; its payload if asked for."""
    id, where = visit.query["id"], _place_fields(place)
    letters, history = letters_at(visit, place), _show_history(visit, place)
    back = link("All dead letters", "letters", **where)
    with closing(_Chosen(letters, [id]).each()) as walk:
        letter = next(walk, None)
        if letter is None:
            if history is None:
                raise NotFound(f"the letter {id} is not at {place} any more")
            gone = f"It is not among the dead letters of {place}."
            return Page(f"Message {id}", [element("p", gone), history, back], is_live=True)
        body = letters.read(letter) if visit.query.get("payload") else None
    body = None if body is None else body[: 4 * PAYLOAD]
    report = show_letters([row_of(place.target, letter, body)], {}, visit.now, place.queue)
    payload = link("Show the payload", "letters", **where, id=id, payload="yes")
    actions = form(visit, address("letters", **where), map(show_action, report.actions))
    return Page(
        f"Letter {id}",
        [
            show_parts(visit, report),
            payload if body is None else None,
            element("div", actions, class_="actions"),
            history,
            back,
        ],
    )


def _show_history(visit: Visit, place: LetterSource) -> Content:
    """Return the attempts that passed here of a message of a target with a database."""
    message = f"{visit.query['id']}-"
    if place.queue is not None:
        return None
    runs = visit.sources.feed.since(kinds=["run"])
    rows = [row_of_run(run) for run in runs if f"{run.facts.get('call_id')}".startswith(message)]
    if not rows:
        return None
    listed = Table(HISTORY, rows, "Its attempts here, in order", "")
    return show_parts(visit, Report({}, visit.now, [listed]), id="history")


def act(visit: Visit) -> Notice | Page:
    """Move letters back, or delete them; ask first about what may have run, and what is deleted."""
    place = _known_source(visit, places(visit))
    if place is None:
        raise InvalidRequest("say which letters: the address names no target", field="target")
    one = "redrive" if "redrive" in visit.form else "delete" if "delete" in visit.form else None
    does = one or visit.field("do")
    ids = visit.form.get(one or "id", ())
    back = {name: value for name, value in visit.query.items() if name not in ("id", "payload")}
    if not ids:
        return Notice("Choose letters first.", back, is_good=False)
    letters = _Chosen(letters_at(visit, place), ids)
    options = MoveOptions(frozenset(ids), force=visit.is_sure)
    here = address("letters", **back)
    if does == "delete":
        if not visit.is_sure:
            return confirmation(visit, f"{count(len(ids), 'letter')} will be gone.", "Delete", here)
        done = delete_letters(letters, options, agree=lambda _: False)
        return Notice(_sentence("deleted", done, len(ids)), back)
    done = redrive(
        letters,
        options,
        visit.now,
        agree=lambda _: False,
        sleep=time.sleep,
        progress=lambda _: None,
    )
    visit.wake(place.target)
    if done.left:
        moved = f"{count(done.moved, 'letter')} moved back. " if done.moved else ""
        question = (
            f"{moved}{count(len(done.left), 'letter')} may have run: moving back what has run may "
            "run it twice, unless its handler recognises the key."
        )
        left = visit.__class__(
            visit.sources, visit.path, visit.query, {"do": ["redrive"], "id": done.left}, visit.seal
        )
        return confirmation(left, question, "Redrive", here)
    return Notice(_sentence("moved back", done, len(ids)), back, is_good=not done.elsewhere)


def _sentence(what: str, done: Moved, chosen: int) -> str:
    gone = chosen - done.moved - len(done.elsewhere)
    were = "was" if gone == 1 else "were"
    missing = [f"{count(gone, 'letter')} {were} gone already."] if gone else []
    return " ".join([f"{count(done.moved, 'letter')} {what}.", *explain_rest(done), *missing])


class _Chosen:
    """Some letters of a place, read no farther than needed."""

    def __init__(self, letters: Letters, ids: Iterable[str]) -> None:
        self._letters = letters
        self._ids = frozenset(ids)
        self.is_in_order = letters.is_in_order
        self.flaw_of, self.move, self.delete = letters.flaw_of, letters.move, letters.delete
        self.read = letters.read

    def each(self, after: str | None = None) -> Generator[FoundLetter, None, None]:
        """Yield the letters that are still there."""
        left = set(self._ids)
        numbers = [int(id) for id in left if is_row_id(id)]
        last = max(numbers) if self.is_in_order and len(numbers) == len(left) > 0 else None
        if self.is_in_order and after is None:
            after = str(max(0, min(numbers, default=1) - 1))
        with closing(self._letters.each(after)) as walk:
            for letter in walk:
                if last is not None and int(letter.id) > last:
                    return
                if letter.id in left:
                    left.remove(letter.id)
                    yield letter
                if not left:
                    return


def letters_at(visit: Visit, place: LetterSource) -> Letters:
    """Return the letters of a place."""
    sources = visit.sources.config.dead_letters.get(place.queue or "", ())
    return letters_of(visit.drivers[place.target], place.queue, None, sources)


def _known_source(visit: Visit, sources: list[LetterSource]) -> LetterSource | None:
    """Return the place that the address names; the only one with a database, if it names none.

    Raises:
        NotFound: there is no such place.
    """
    if "target" not in visit.query:
        kept = [place for place in sources if place.queue is None]
        return kept[0] if len(sources) == 1 and kept else None
    place = LetterSource(visit.query["target"], visit.query.get("queue"))
    if place not in sources:
        raise NotFound(f"there are no dead letters at {place}")
    return place


def _place_fields(place: LetterSource) -> dict[str, str]:
    return {"target": place.target} | ({} if place.queue is None else {"queue": place.queue})
