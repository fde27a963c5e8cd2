"""What the first page shows without being read: numbers, the last hour, what happened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import pytest

from leeward import Client, FunctionError
from leeward.cli.dead_letters import letters_of
from leeward.values.runs import Run, RunEvent, RunState
from leeward.views import Severity
from leeward.views.letters import FoundLetter
from leeward.workflow.model import Wait
from leeward_dev import feed
from leeward_dev.console import letters, overview, runs, search
from leeward_dev.console.layout import GROUPS
from leeward_dev.console.server import PAGES
from tests.console.shop import Shop
from tests.console.visitor import Visitor

STYLE = (files("leeward_dev.console") / "console.css").read_text(encoding="utf-8")

CARD = re.compile(
    r'<li class="card (\w+)"><a href="([^"]*)"><strong>([\d,]+)</strong> ([^<]*)</a>'
    r' <span class="word (\w+)">([^<]*)</span></li>'
)


def cards(page: str) -> dict[str, tuple[str, str, str]]:
    """Return the cards of a page by their titles: number, class and word."""
    found = CARD.findall(page)
    assert page.count('class="card ') == len(found)
    assert all(own == word for own, _, _, _, word, _ in found)
    return {title: (number, own, word) for own, _, number, title, _, word in found}


def fact(kind: str, level: str = "ok", **values: Any) -> dict[str, Any]:
    """Return a fact, as ``leeward status --json`` writes it."""
    return {"kind": kind, "level": level, "values": values}


CALM = {
    "Waiting approvals": ("0", "good", "ok"),
    "Unknown outcomes": ("0", "good", "ok"),
    "Dead letters": ("0", "good", "ok"),
    "Stranded runs": ("0", "good", "ok"),
    "Running": ("0", "good", "ok"),
}

UNSURE = ("0", "unsure", "not all known")


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ([], {}),
        (
            [fact("keys", "waiting", state="waiting", count=3)],
            {"Waiting approvals": ("3", "waiting", "waiting")},
        ),
        (
            [fact("queue", waiting=2, approvals=2), fact("keys", state="waiting", count=2)],
            {"Waiting approvals": ("2", "waiting", "waiting")},
        ),
        (
            [fact("keys", "wrong", state="unknown", count=2), fact("unknown", "wrong", open=1)],
            {"Unknown outcomes": ("3", "unsure", "unknown")},
        ),
        (
            [fact("queue", "wrong", dead=1_000), fact("queue", dead=None), fact("queue", dead=1)],
            {"Dead letters": ("1,001", "wrong", "failed")},
        ),
        (
            [fact("runs", "wrong", running=5, stuck=2), fact("runs", running=1, stuck=0)],
            {"Stranded runs": ("2", "wrong", "wrong"), "Running": ("6", "neutral", "running")},
        ),
        (
            [fact("runs", "unknown"), fact("queue", dead=1), fact("schedule", "unknown")],
            {
                "Dead letters": ("1", "wrong", "failed"),
                "Stranded runs": UNSURE,
                "Running": UNSURE,
            },
        ),
        ([fact("keys", "unknown")], {"Waiting approvals": UNSURE, "Unknown outcomes": UNSURE}),
        ([fact("queue", "unknown")], dict.fromkeys(CALM, UNSURE)),
        ([fact("target", "wrong", reachable=False)], dict.fromkeys(CALM, UNSURE)),
        (
            [fact("target", "wrong", reachable=True)],
            {},
        ),
    ],
)
def test_a_card_has_the_number_of_the_status(
    facts: list[dict[str, Any]], shown: dict[str, tuple[str, str, str]]
) -> None:
    """And a word for its state; what was not answered is no 0 that is well."""
    assert cards("".join(overview._show_cards(facts))) == CALM | shown


def test_the_first_page_counts_what_is_there(shop: Shop, visitor: Visitor) -> None:
    """A waiting approval, dead letters, an unknown call with its key, a run under way."""
    assert cards(visitor.get("").text) == CALM
    shop.fail_letter("1", "2")
    shop.leave_unknown("3")
    with suppress(FunctionError):
        shop.client.invoke("refund", {"id": "4"})
    shop.client.start_workflow("order", {"id": "5"}, id="r-5")
    assert cards(visitor.get("").text) == {
        "Waiting approvals": ("1", "waiting", "waiting"),
        "Unknown outcomes": ("2", "unsure", "unknown"),
        "Dead letters": ("2", "wrong", "failed"),
        "Stranded runs": ("0", "good", "ok"),
        "Running": ("1", "neutral", "running"),
    }


def test_what_waits_for_a_person_is_no_failure(shop: Shop, visitor: Visitor) -> None:
    """Not in its card, nor in its chart, nor in what happened: neither its run nor its call."""
    with suppress(FunctionError):
        shop.client.invoke("refund", {"id": "4"})
    for path in ("", "events", "handlers", "handlers?name=refund"):
        page = visitor.get(path).text
        assert "failed: " not in page
        assert 'class="wrong"' not in page
        assert "word wrong" not in page
    assert "waiting: ApprovalPending" in visitor.get("events").text


@contextmanager
def clock(now: float) -> Iterator[None]:
    """Let entries of the feed be of another time."""
    with patch.object(feed, "time", SimpleNamespace(time=lambda: now)):
        yield


def test_a_chart_has_the_runs_and_failures_of_the_last_hour(shop: Shop, visitor: Visitor) -> None:
    """Of handlers and targets, by spans of 5 minutes, the oldest first: as bars, and as text."""
    now = shop.client._operations.clock.now() // 300 * 300
    for ago, name, is_good in (
        *((0, "echo", True), (300, "echo", True), (310, "echo", True), (310, "echo", False)),
        *((3_300, "echo", True), (3_301, "echo", True), (9_000, "echo", False)),
        *((0, "remember", False), (0, "gone", False)),
    ):
        with clock(now - ago):
            shop.feed.add("run", name, "function", outcome="E" * (not is_good), is_good=is_good)
    for ago, outcome in ((0, "ok"), (300, "ambiguous"), (9_000, "ok")):
        with clock(now - ago):
            facts = {"target": "local"}
            is_good = outcome == "ok"
            shop.feed.add("call", "x", "store", outcome=outcome, is_good=is_good, facts=facts)
    page = visitor.get("").text
    labels = re.findall(r'<svg viewBox="[^"]*"[^>]* role="img" aria-label="([^"]*)">', page)
    assert labels == re.findall(r"<svg [^>]*><title>([^<]*)</title>", page)
    start = "in the last hour, 5 minutes each: failed"
    none, echo = ", ".join("0" * 12), ", ".join("100000000111")
    assert labels == [
        f"Runs of echo {start} 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0; others {echo}",
        f"Runs of remember {start} 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1; others {none}",
        f"Calls to local {start} 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0; others {none[:-1]}1",
    ]
    bars = re.findall(r'<path d="([^"]*)" class="(\w+)">', page)
    up = "".join(f"M{80 * at} 200v-200h70V200z" for at in (0, 9, 10, 11))
    assert bars[:2] == [(up, "runs"), ("M720 200v200h70V200z", "fails")]
    assert "5 runs, 0.083 a minute" in page
    assert "failed: 1" in page


def test_a_failure_among_many_runs_is_seen(shop: Shop, visitor: Visitor) -> None:
    """Its bar has a height; and no chart of many loses it."""
    for number in range(1_000):
        shop.feed.add(
            "run", "echo", "function", outcome="ok" if number else "E", is_good=number > 0
        )
    page = visitor.get("handlers").text
    (height,) = re.findall(r'<path d="M\d+ \d+v(\d+)h70V\d+z" class="fails">', page)
    assert int(height) >= 12


def test_what_happened_is_told_once(shop: Shop, visitor: Visitor) -> None:
    """The newest first; what is alike together on the first page, and one by one on its own."""
    for _ in range(3):
        shop.client.invoke("echo", 1)
    shop.fail_event("1")
    first = visitor.get("").text.partition('<ol id="timeline"')[2].partition("</ol>")[0]
    items = re.findall(r'<li class="(\w+)">(.*?)</li>', first)
    assert [kind for kind, _ in items] == ["wrong", "good"]
    assert "canary of 1" in items[0][1]
    assert "3 times" in items[1][1]
    assert visitor.get("events?kind=run").text.count('<li class="good">') == 3


def test_a_run_is_drawn_to_scale(
    shop: Shop, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bar for each attempt; what pauses or waits is thin, and no failure; words say it, too."""
    events = (
        RunEvent("pack", 1, 100.0, 102.0, "Cold"),
        RunEvent("pack/pause", 1, 102.0, 105.0),
        RunEvent("pack", 2, 105.0, 106.0, "Lost", ambiguous=True),
        RunEvent("pack/settle", 1, 106.0, 107.0),
        RunEvent("dry", 1, 107.0),
        RunEvent("ship", 1, 107.0, 110.0),
    )
    run = Run("parcel", "r-1", "local", RunState.FAILED, None, 100.0, 110.0, events=events)
    body = (Wait("dry", 60),)
    definition = SimpleNamespace(name="parcel", body=body)
    monkeypatch.setattr(Client, "get_run", lambda *_: run)
    monkeypatch.setattr(runs, "_definition_of", lambda *_: definition)
    monkeypatch.setattr(runs, "_picture", lambda *_: None)
    page = visitor.get("runs?workflow=parcel&run=r-1").text
    bars = re.findall(r'<path d="([^"]*)" class="(\w+)"><title>([^<]*)</title>', page)
    assert bars == [
        ("M0.0 10h200.0v80h-200.0z", "wrong", "failed: Cold, after 0.000 s, for 2.000 s"),
        ("M200.0 35h300.0v30h-300.0z", "waiting", "waiting, after 2.000 s, for 3.000 s"),
        ("M500.0 10h100.0v80h-100.0z", "unsure", "may have run: Lost, after 5.000 s, for 1.000 s"),
        ("M600.0 35h100.0v30h-100.0z", "waiting", "waiting, after 6.000 s, for 1.000 s"),
        ("M700.0 35h300.0v30h-300.0z", "waiting", "waiting, after 7.000 s, for 3.000 s"),
        ("M700.0 10h300.0v80h-300.0z", "good", "ok, after 7.000 s, for 3.000 s"),
    ]
    steps = page.partition("<tbody>")[2].partition("</tbody>")[0]
    ends = re.findall(r'class="word \w+">([^<]*)<', steps)
    assert ends == ["may have run: Lost", "waiting", "ok"]


def test_ten_questions_take_two_clicks_at_most(shop: Shop, visitor: Visitor) -> None:
    """Each from the first page; a search is one."""
    shop.fail_letter("41")
    shop.leave_unknown("44")
    with suppress(FunctionError):
        shop.client.invoke("refund", {"id": "45"})
    shop.client.start_workflow("order", {"id": "46"}, id="r-46")
    for clicks, answers in (
        ([], ["Refund order 45?"]),
        (["1 Dead letters"], ["no such order 41", "no"]),
        (["1 Dead letters", "1"], ["shop.py", "Its attempts here, in order"]),
        (["1 Running", "r-46"], ["reserve", "under way"]),
        (["take-order"], ["failed: Nothing", "shop.py"]),
        (["1 Waiting approvals", "keys"], ["Refund order 45?"]),
        (["Schedules"], ["report", "0 6 * * *"]),
        (["Targets"], ["local"]),
        (["charge", "Run it"], ["Send"]),
        (["search?q=charge:44"], ["Records of keys"]),
    ):
        assert len(clicks) <= 2
        page = visitor.get("").page
        for click in clicks:
            page = visitor.get(page.links.get(click, click)).page
        assert all(answer in page.text for answer in answers), (clicks, page.text)


def test_a_search_reads_one_page_of_a_table_without_keys(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cloud bills each page, and tables of an app's own have no records of keys."""
    tables = list[str]()

    def scan(_: object, table: str, cursor: str | None) -> tuple[list[Any], str]:
        tables.append(table)
        return [], "more"

    monkeypatch.setattr(search, "scan_keys", scan)
    visitor.get("search?q=x")
    assert sorted(tables) == ["keys", "orders"]


def test_the_page_of_a_message_reads_one_letter_behind_it(shop: Shop) -> None:
    """It is read again every two seconds."""
    shop.fail_letter(*map(str, range(9)))
    kept, seen = letters_of(shop.local, None, None, ()), list[str]()

    def each(after: str | None = None) -> Iterator[FoundLetter]:
        for letter in kept.each(after):
            seen.append(letter.id)
            yield letter

    first = shop.local.dead_letters()[0]
    chosen = letters._Chosen(kept, [str(first.id)])
    chosen._letters = cast("Any", SimpleNamespace(each=each))
    shop.local.discard(first)
    assert [*chosen.each()] == []
    assert len(seen) == 1


def test_a_search_finds_each_kind(shop: Shop, visitor: Visitor) -> None:
    """By a part of an id, a name or a text, in any case; and says so if there is nothing."""
    shop.fail_letter("41")
    shop.leave_unknown("44")
    shop.client.start_workflow("order", {"id": "46"}, id="r-46")
    for text, kinds in {
        "R-46": {"Runs"},
        "ORDER 41": {"Dead letters", "What happened"},
        "charge": {"Handlers", "Keys", "What happened"},
        "canary": {"What happened"},
        "nowhere at all": set(),
    }.items():
        page = visitor.get(f"search?q={text.replace(' ', '+')}").text
        assert {*re.findall(r"<h2>([^<]*)</h2>", page)} == kinds, text
        assert ("has &#x27;nowhere at all&#x27;" in page) == (not kinds), text
    assert "Type a key" in visitor.get("search?q=+").text


@pytest.mark.parametrize("severity", [each for each in Severity if each is not Severity.NEUTRAL])
def test_no_state_is_told_by_its_colour_alone(severity: Severity) -> None:
    """Each that asks something of a person has a form of its own, beside its word."""
    kind = severity.name.lower()
    marks = re.findall(rf'\.word\.{kind}::before {{ content: "([^"]+)"', STYLE)
    borders = re.findall(rf"\.card\.{kind} {{ border-left-style: (\w+)", STYLE)
    if severity is Severity.GOOD:
        assert marks == borders == []
    else:
        assert len(marks) == len(borders) == 1
        assert STYLE.count(f'content: "{marks[0]}"') == 1
        assert STYLE.count(f"border-left-style: {borders[0]}") == 1


def test_the_menu_has_every_page_in_a_few_groups(visitor: Visitor) -> None:
    """Each page once, but the one that the field of every page leads to."""
    assert len(GROUPS) <= 5
    assert {path for pages in GROUPS.values() for path in pages} == {*PAGES} - {"search"}
    assert sum(map(len, GROUPS.values())) == len(PAGES) - 1
    labels = [each[1].get("aria-label") for each in visitor.get("").page.tags if each[0] == "ul"]
    assert [each for each in labels if each] == [*GROUPS]
