"""What all pages have in common: the frame, tables, forms, times; and what a page gets to see."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from leeward._delivery.runner import AppRunner
from leeward.adapter import Driver
from leeward.errors import InvalidRequest, NotFound
from leeward.text import did_you_mean
from leeward.values import NOTHING, RoutingEvent
from leeward.views import (
    Action,
    Block,
    Details,
    Format,
    Json,
    Part,
    Report,
    Table,
    in_words,
    severity_of,
)
from leeward_dev.console.guard import SEAL
from leeward_dev.console.html import LONGEST, Content, Html, element, text, verbatim
from leeward_dev.sources import Sources

PAYLOAD: Final = 65_536
"""Characters of a payload that a page shows."""

ROWS: Final = 50
"""Of one page of a table."""

GROUPS: Final = {
    "Now": {"": "Overview", "events": "Events"},
    "To settle": {"letters": "Dead letters", "keys": "Keys", "unknown": "Unknown calls"},
    "At work": {
        "handlers": "Handlers",
        "runs": "Runs",
        "queues": "Queues",
        "schedules": "Schedules",
    },
    "Reach": {"targets": "Targets", "send": "Send"},
}
"""The pages, by their addresses, in the groups of the menu."""

LONG: Final = re.compile(r"\S{25,}")
"""No word that people write; it may be broken anywhere, and no other may."""

SURE: Final = "sure"
"""The field of a form that somebody has been asked about."""


class Notice(NamedTuple):
    """What an action has done, for the page that is shown next.

    Attributes:
        text: a sentence or two.
        back: the query of that page.
        is_good: False for a failure.
        payload: what came back, for who has asked for it.
        form: what was sent, so that a form can be corrected.
    """

    text: str
    back: Mapping[str, str] = NOTHING
    is_good: bool = True
    payload: str | None = None
    form: Mapping[str, str] = NOTHING


class Decision(NamedTuple):
    """Something that the router has decided, and when, in Unix seconds."""

    time: float
    event: RoutingEvent


class Page(NamedTuple):
    """A page, without its frame.

    Attributes:
        title: of the page.
        body: what stands in it.
        is_live: its parts with ``data_live`` are read again while somebody looks.
        status: of HTTP.
    """

    title: str
    body: Content
    is_live: bool = False
    status: int = 200


@dataclass(frozen=True, slots=True)
class Visit:
    """A request, and all that a page or an action may use.

    Attributes:
        sources: what is shown.
        path: of the page: one of `GROUPS`.
        query: of the address; the last value of each name.
        form: of a POST, with all values of each name.
        seal: what a form of the console has in it.
        decisions: the last ones of the client's router, the newest last.
        notice: what the last action has done; None where there was none.
    """

    sources: Sources
    path: str
    query: Mapping[str, str]
    form: Mapping[str, Sequence[str]]
    seal: str
    decisions: Sequence[Decision] = ()
    notice: Notice | None = None

    @property
    def drivers(self) -> Mapping[str, Driver]:
        """Return the open targets, by their names."""
        return self.sources.client._operations.drivers  # noqa: SLF001 - no method has them

    @property
    def now(self) -> float:
        """Return the time of the client's clock, in Unix seconds."""
        return self.sources.client._operations.clock.now()  # noqa: SLF001 - by which rows are judged

    def field(self, name: str, default: str = "") -> str:
        """Return the last value of a field of the form."""
        return self.form.get(name, (default,))[-1]

    def wake(self, target: str) -> None:
        """Wake the runner of a target to look for work now, if it has one in this process."""
        stores = self.drivers[target].stores()
        runner = None if stores is None else stores.runner
        if isinstance(runner, AppRunner):
            runner.wake()

    def need(self, name: str) -> str:
        """Return what the address says.

        Raises:
            InvalidRequest: it does not say it.
        """
        if name not in self.query:
            raise InvalidRequest(f"the address does not say which {name}", field=name)
        return self.query[name]

    @property
    def is_sure(self) -> bool:
        """Return whether somebody was asked, and has agreed."""
        return self.field(SURE) == "yes"


def frame(visit: Visit, page: Page) -> str:
    """Return a whole page."""
    sources = visit.sources
    what = "the configured targets" if sources.app is None else sources.app.name
    mode = None if sources.can_write else element("span", "read-only", class_="badge")

    def entry(path: str, name: str) -> Html:
        current = "page" if path == visit.path else None
        return element("li", element("a", name, href=path or "./", aria_current=current))

    groups = [
        element("li", title, element("ul", [entry(*each) for each in pages], aria_label=title))
        for title, known in GROUPS.items()
        if (pages := [each for each in known.items() if is_shown(sources, each[0])])
    ]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{page.title} - leeward"),
        element("link", rel="stylesheet", href="console.css"),
        element("script", src="console.js", defer=True),
    )
    body = element(
        "body",
        element("a", "Skip to the content", href="#main", class_="skip"),
        element(
            "header",
            element("p", element("strong", "leeward"), " ", what, " ", mode),
            _search_box(visit),
            element("nav", element("ul", groups), aria_label="Pages"),
        ),
        element(
            "main",
            element("h1", page.title),
            _notice(visit.notice),
            page.body,
            id="main",
            tabindex=-1,
            data_follow=page.is_live,
        ),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _search_box(visit: Visit) -> Html:
    """Return the form of every page's head."""
    field = element(
        "input",
        type="search",
        name="q",
        value=visit.query.get("q") if visit.path == "search" else None,
        aria_label="Search for a key, a run or a text",
    )
    return element("form", field, element("button", "Search"), action="search", role="search")


def is_shown(sources: Sources, path: str) -> bool:
    """Return whether there is anything to see at a page of `GROUPS`."""
    if path in ("handlers", "events"):
        return sources.app is not None
    if path == "send":
        return sources.can_write
    if path == "unknown":
        return sources.config.unknowns is not None
    return True


def _notice(notice: Notice | None) -> Content:
    if notice is None:
        return None
    return element(
        "div",
        element("p", notice.text),
        None if notice.payload is None else payload_block(notice.payload, "The answer"),
        class_=f"notice {'good' if notice.is_good else 'wrong'}",
        role="status" if notice.is_good else "alert",
        id="notice",
    )


def payload_block(payload: str, label: str) -> Html:
    """Return a payload that somebody has asked for: text, cut where it is very long."""
    inner = text(payload, PAYLOAD)
    return element("pre", inner, class_="payload", tabindex=0, role="region", aria_label=label)


def show_parts(
    visit: Visit, report: Report, *, id: str | None = None, choose: bool = False
) -> list[Content]:
    """Return the parts of a report; with an `id` they are live, with `choose` rows are chosen."""

    def show(number: int, part: Part) -> Content:
        own = f"{id}-{number}" if id is not None and number else id
        match part:
            case Block():
                return payload_block(part.text, part.title)
            case Details():
                values = [(name, show_value(*each, report.now)) for name, each in part.values()]
                lines = (
                    element("div", element("dt", it[0]), element("dd", it[1])) for it in values
                )
                head = element("h2", part.title) if part.title else None
                return [head, element("dl", lines, id=own, data_live=own is not None)]
            case Table():
                return _show_table(visit, part, report.now, own, choose=choose)
            case _:
                return element("p", part)

    return [show(number, part) for number, part in enumerate(report.parts)]


def _show_table(visit: Visit, shown: Table, now: float, id: str | None, *, choose: bool) -> Html:
    columns = shown.visible_columns()
    has_actions = visit.sources.can_write and any(shown.actions(row) for row in shown.rows)

    def cells(row: Json) -> Iterator[Content]:
        page = shown.page(row)
        for column in columns:
            cell = show_value(column.value(row), column.format, now)
            yield link(cell, page[0], **page[1]) if column.is_name and page is not None else cell
        if has_actions:
            own = row.get("id")
            named = {"name": "id", "value": own, "aria_label": f"Choose {own}"}
            yield [
                element("input", type="checkbox", **named) if choose else None,
                *([show_action(each, each.about), " "] for each in shown.actions(row)),
            ]

    if not shown.rows:
        return element("p", shown.empty, id=id, data_live=id is not None, class_="empty")
    header = [each.title for each in columns] + ["Action"] * has_actions
    lines = (
        # Where there is little room, each row becomes a list with the names.
        element(
            "tr",
            (element("td", it[0], data_name=it[1]) for it in zip(cells(row), header, strict=True)),
        )
        for row in shown.rows
    )
    return element(
        "table",
        element("caption", shown.title),
        element("thead", element("tr", (element("th", name, scope="col") for name in header))),
        element("tbody", lines),
        id=id,
        data_live=id is not None,
    )


def show_value(value: Any, how: Format, now: float) -> Content:
    """Return a value of a report: its words, and what else a page can say of it."""
    words = in_words(value, how, now)
    if how is Format.LINES and words != "-":
        return element("div", (element("div", element("code", each)) for each in value))
    if words == "-" or how not in (Format.STATE, Format.MOMENT, Format.AGO):
        most = LONGEST if how is not Format.WHOLE else len(words)
        return Html(LONG.sub(r'<span class="long">\g<0></span>', text(words, most)))
    if how is Format.STATE:
        return element("span", words, class_=f"word {severity_of(words).name.lower()}")
    at = in_words(value, Format.MOMENT, now)
    return element("time", words, title=at, datetime=at.replace(" UTC", "Z"))


def show_action(action: Action, about: str = "") -> Html:
    """Return the button of an action; `about` says what it is about where that is not seen."""
    return button(
        action.title,
        name=action.name,
        value=action.value,
        label=f"{action.title} {about}" if about else None,
        kind="danger" if action.is_danger else "",
    )


def link(content: Content, path: str, /, **query: str | int | None) -> Html:
    """Return a link to a page of the console."""
    return element("a", content, href=address(path, **query))


def choices(path: str, name: str, known: Mapping[str, str], chosen: str, **where: str) -> Html:
    """Return links of which one is chosen: values of the field `name` of an address, and texts."""
    links = (
        element(
            "a",
            words,
            href=address(path, **where, **{name: value or None}),
            aria_current="true" if value == chosen else None,
        )
        for value, words in known.items()
    )
    return element("ul", (element("li", each) for each in links), class_="choices")


def address(path: str, /, **query: str | int | None) -> str:
    """Return the address of a page, from that of any other: all are in one folder."""
    given = {name: str(value) for name, value in query.items() if value is not None}
    encoded = urlencode(given, errors="replace")
    return f"{path or './'}{'?' if encoded else ''}{encoded}"


def form(visit: Visit, path: str, *content: Content, **hidden: str | None) -> Html:
    """Return a form for an action at `path`; nothing where the console only shows."""
    if not visit.sources.can_write:
        return Html()
    fields = [
        element("input", type="hidden", name=name, value=value)
        for name, value in {SEAL: visit.seal, **hidden}.items()
        if value is not None
    ]
    return element("form", fields, content, method="post", action=path or "./")


def button(
    action: str, *, name: str = "do", value: str, label: str | None = None, kind: str = ""
) -> Html:
    """Return a button of a form; `label` is for who does not see what it belongs to."""
    named = {"name": name, "value": value, "aria_label": label}
    return element("button", action, type="submit", class_=kind or None, **named)


def field(
    label: str,
    name: str,
    value: str = "",
    *,
    hint: str = "",
    rows: int = 0,
    choices: Iterable[str] = (),
    required: bool = False,
    within: str = "",
) -> Html:
    """Return a field of a form with its label.

    With `rows` it is for a long text. A browser offers the `choices`. `within` tells it from a
    field of the same name in another form of the page.
    """
    id = f"field-{name}{within}"
    known = [*choices]
    more: dict[str, str | bool] = {
        "spellcheck": "false",
        "autocomplete": "off",
        "required": required,
        "id": id,
        "aria_describedby": f"{id}-hint" if hint else False,
    }
    if rows:
        control = element("textarea", verbatim(f"\n{value}"), name=name, rows=rows, **more)
    else:
        control = element(
            "input", name=name, value=value, list=f"{id}-known" if known else None, **more
        )
    return element(
        "p",
        element("label", label, for_=id),
        element("small", hint, id=f"{id}-hint") if hint else None,
        control,
        element("datalist", (element("option", value=each) for each in known), id=f"{id}-known")
        if known
        else None,
        class_="field",
    )


def confirmation(visit: Visit, question: Content, yes: str, back: str, **hidden: str) -> Page:
    """Return a page that asks before something is done that cannot be taken back.

    The form of the visit is sent again, with the `hidden` fields instead of its own.
    """
    fields = [
        element("input", type="hidden", name=name, value=value)
        for name, values in visit.form.items()
        if name not in {SEAL, SURE, *hidden}
        for value in values
    ]
    no = element("a", "No, go back", href=back)
    body = form(
        visit,
        address(visit.path, **visit.query),
        fields,
        element("p", question),
        element("p", button(yes, name=SURE, value="yes", kind="danger"), " ", no),
        **hidden,
    )
    return Page("Are you sure?", body)


def pager(
    visit: Visit, *, first: Mapping[str, str] | None = None, after: Mapping[str, str] | None = None
) -> Content:
    """Return links to the first page and to the next one; None where there is no such page."""
    if first is None and after is None:
        return None
    return element(
        "nav",
        link("First page", visit.path, **first) if first is not None else None,
        " ",
        link("Next page", visit.path, **after) if after is not None else None,
        aria_label="Pages of the table",
        class_="pager",
    )


def check_known(name: str, known: Iterable[str], what: str) -> str:
    """Return a name that is known.

    Raises:
        NotFound: it is not; the message has the nearest one.
    """
    names = [*known]
    if name not in names:
        raise NotFound(f"there is no {what} {name[:80]!r}{did_you_mean(name, names)}")
    return name
