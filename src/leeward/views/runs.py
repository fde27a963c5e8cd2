"""Runs of workflows: lists of them, what each did, and the picture of a definition with its state.

The picture is SVG, made of text and boxes. Time goes down; what is beside each other is one of
several cases, branches or handlers. Nothing in it is loaded from elsewhere, and nothing runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from html import escape
from typing import TYPE_CHECKING, Final

from leeward.errors import InvalidRequest
from leeward.json_text import encode
from leeward.records import NamedTuple
from leeward.values.runs import Run, RunEvent, RunWait
from leeward.views import (
    Action,
    Block,
    Column,
    Details,
    Format,
    Json,
    Link,
    Part,
    Report,
    Table,
    item_json,
)
from leeward.workflow import model
from leeward.workflow.retry import NEVER

if TYPE_CHECKING:
    from leeward.client import Client


def row_of(run: Run) -> Json:
    """Return a run as a row; times are Unix seconds."""
    events = [event._asdict() for event in run.events]
    waits = [{**wait._asdict(), "names": list(wait.names)} for wait in run.waits]
    named = {"state": run.state.value, "unreversed": list(run.unreversed)}
    return run._asdict() | {**named, "events": events, "waits": waits, "parent": run.parent}


def _took(row: Json) -> float | None:
    return None if row["ended"] is None else row["ended"] - row.get("started", row.get("began"))


def end_of(event: Json) -> str:
    """Return how a call, question or pause of a run has ended, in words."""
    if event["ended"] is None:
        return "under way"
    if not event["error"]:
        return "ok"
    return f"{'may have run' if event['ambiguous'] else 'failed'}: {event['error']}"


def state_of(event: Json, waits: Iterable[RunWait]) -> str:
    """Return the same of one that may wait for an event."""
    is_waiting = event["ended"] is None and any(wait.path == event["path"] for wait in waits)
    return "waiting" if is_waiting else end_of(event)


_RUN: Final = (
    Column("Workflow", "workflow"),
    Column("Run", "id", is_name=True),
    Column("State", "state", Format.STATE),
    Column("Started", "started", Format.AGO),
    Column("Took", _took, Format.SECONDS),
    Column("Error", "error"),
)

_DETAILS: Final = (
    *_RUN[:3],
    Column("Started", "started", Format.MOMENT),
    *_RUN[4:],
    Column("Target", "target"),
    Column("Definition", lambda row: (row["digest"] or "")[:12]),
    Column("Not taken back", "unreversed", is_rare=True),
    Column("Waits for it", "parent", is_rare=True),
)


_WAITS: Final = (
    Column("Node", "path", is_name=True),
    Column("Event", lambda row: " or ".join(row["names"])),
    Column("Question", lambda row: question_of(RunWait(**row)), is_rare=True),
    Column("Until", "until", Format.MOMENT, is_rare=True),
)


def question_of(wait: RunWait) -> str:
    """Return what a person is asked as a text; empty for no question."""
    question = wait.question
    if question is None or isinstance(question, str):
        return question or ""
    return encode(question).decode()


def _page_of_child(event: Json) -> Link | None:
    """Return where more is said of the run that an event is about."""
    if event["child"] is None:
        return None
    workflow, _, id = event["child"].partition("/")
    return "runs", {"workflow": workflow, "run": id}


def list_runs(runs: Iterable[Run], now: float) -> Report:
    """Return runs, one below the other, the last one first."""
    rows = [row_of(run) for run in runs]
    listed = Table(
        *(_RUN, rows, "The last one first", "No runs."),
        lambda row: ("runs", {"workflow": row["workflow"], "run": row["id"]}),
    )
    return Report({"runs": rows}, now, [listed])


def show_run(run: Run, now: float, *, with_result: bool = True) -> Report:
    """Return a run and all that it did; `with_result` also its result, which may be secret."""
    row = row_of(run)
    steps = (
        Column("After", lambda event: event["began"] - run.started, Format.SECONDS),
        Column("Took", _took, Format.SECONDS),
        Column("Step", "path", is_name=True),
        Column("Attempt", "attempt", Format.COUNT),
        Column("End", lambda event: state_of(event, run.waits), Format.STATE),
        Column("Run", "child", is_rare=True),
    )
    parts: list[Part] = [Details(_DETAILS, row)]
    if with_result and run.result is not None:
        parts.append(Block("Result", item_json.write(run.result, indent=2), is_json=True))
    if run.waits:
        parts.append(Table(_WAITS, row["waits"], "It waits for", ""))
    done = Table(steps, row["events"], "What it did, in order", "Nothing yet.", _page_of_child)
    parts.append(done)
    which = f"{run.workflow} {run.id}"
    open_ = [wait for wait in run.waits if wait.question is not None]
    actions = [
        Action(
            does,
            f"leeward workflow {does.lower()} {which} --node {wait.path}",
            "do",
            f"{does.lower()} {wait.path}",
            question_of(wait),
        )
        for wait in open_
        for does in ("Approve", "Deny")
    ]
    actions += [
        Action("Cancel", f"leeward workflow cancel {which}", "do", "cancel", is_danger=True),
        Action("Abort", f"leeward workflow abort {which}", "do", "abort", is_danger=True),
    ]
    return Report({"found": True, **row}, now, parts, (), actions if run.ended is None else ())


def answer_question(client: Client, run: Run, node: str | None, value: Json) -> None:
    """Answer the question of a run; an answer that another person gives beside it is refused.

    Args:
        client: of the runs.
        run: as it was read.
        node: the path of the node that asks; None if there is one.
        value: the answer, with `approved`.

    Raises:
        InvalidRequest: it asks nothing, or several things.
        Conflict: it has an answer already, or is over.
    """
    open_ = [wait for wait in run.waits if wait.question is not None and node in (None, wait.path)]
    if len(open_) != 1:
        paths = ", ".join(wait.path for wait in open_)
        flaw = f"asks several things; name one: {paths}" if open_ else "asks nothing there"
        raise InvalidRequest(f"the run {run.id!r} of {run.workflow!r} {flaw}", field="node")
    (wait,) = open_
    (name,) = wait.names
    client.send_event(run.workflow, run.id, name, value, id=f"answer.{name}"[:80])


GAP: Final = 22
"""Pixels between two boxes."""
PADDING: Final = 12
LINE: Final = 16
LETTER: Final = 7.0
"""Pixels of a letter, on average."""
LONGEST: Final = 44
"""Characters of a line."""


class Mark(Enum):
    """What a run has done of a node: in words, and the colours of it."""

    NONE = ("not reached", "#ffffff", "#9aa4b2")
    DONE = ("done", "#e3f4e6", "#2e8540")
    RUNNING = ("under way", "#e1ecfb", "#2563c9")
    FAILED = ("failed", "#fbe3e1", "#c0322b")
    UNKNOWN = ("may have run", "#fdf0d5", "#b7791f")
    UNDONE = ("taken back", "#ece5f7", "#6b46b0")


class Box(NamedTuple):
    """Something with a size; `parts` are boxes at places inside it, `shapes` SVG at its corner."""

    width: float
    height: float
    shapes: tuple[str, ...] = ()
    parts: tuple[tuple[float, float, Box], ...] = ()


def picture_of(definition: model.Definition, run: Run | None = None) -> str:
    """Return a definition as SVG.

    Args:
        definition: of the workflow.
        run: whose state is shown; None for the definition alone.
    """
    marks = {} if run is None else marks_of(run.events)
    title = definition.name if run is None else f"{definition.name}: {run.id} {run.state.value}"
    if run is not None and run.error is not None:
        title += f" ({run.error})"
    head = _text_box([title], None)
    below = [head, _block(definition.body, marks)]
    if run is not None:
        shown = [mark for mark in Mark if mark in {*marks.values(), Mark.NONE}]
        below.append(_join_boxes([_text_box([mark.value[0]], mark) for mark in shown]))
    whole = _stack(below, arrows=False)
    width, height = whole.width + 2 * PADDING, whole.height + 2 * PADDING
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-family="sans-serif" font-size="12">'
    )
    return "\n".join(
        [
            opening,
            f"<title>{escape(title)}</title>",
            f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
            *_draw(whole, PADDING, PADDING),
            "</svg>\n",
        ]
    )


def marks_of(events: Iterable[RunEvent]) -> dict[str, Mark]:
    """Return what a run has done, by the id of the node; of an `each`, the worst counts."""
    marks: dict[str, Mark] = {}
    for event in events:
        id, *rest = event.path.split("/")
        if rest[-1:] == ["pause"]:
            continue
        mark = _mark(event)
        if rest[-1:] == ["settle"]:
            marks[id] = mark if marks.get(id) is Mark.UNKNOWN else marks[id]
            continue
        if rest[-1:] == ["undo"]:
            mark = Mark.UNDONE if mark is Mark.DONE else mark
        elif marks.get(id) in (Mark.RUNNING, Mark.FAILED) and rest:
            continue
        marks[id] = mark
    return marks


def _mark(event: RunEvent) -> Mark:
    if event.ended is None:
        return Mark.RUNNING
    if event.error is None:
        return Mark.DONE
    return Mark.UNKNOWN if event.ambiguous else Mark.FAILED


def _block(block: model.Block, marks: dict[str, Mark]) -> Box:
    if not block:
        return _text_box(["(nothing)"], None)
    return _stack([_node(node, marks) for node in block])


def _node(node: model.Node, marks: dict[str, Mark]) -> Box:
    mark = marks.get(node.id, Mark.NONE)
    match node:
        case model.Step():
            return _text_box(_step_lines(node), mark)
        case model.Wait():
            return _text_box([node.id, f"wait {_time_of(node)}"], mark)
        case model.EventNode():
            what = (
                "asks a person" if node.question is not None else f"for {' or '.join(node.names)}"
            )
            return _text_box([node.id, what, f"at most {_time_of(node)}"], mark)
        case model.Child():
            return _text_box([node.id, f"runs {node.flow}", *_undo_lines(node)], mark)
        case model.Stop():
            return _text_box([node.id, "ends well"], mark)
        case model.Fail():
            return _text_box([node.id, f"fails: {node.error}"], mark)
        case model.Saga() | model.Each() | model.Repeat():
            return _frame(_label_of(node), _block(node.body, marks))
        case model.AttemptNode() | model.Parallel() | model.Choose():
            return _frame(f"{node.kind} {node.id}", _join_boxes(_alternatives(node, marks)))


def _label_of(node: model.Saga | model.Each | model.Repeat) -> str:
    if isinstance(node, model.Saga):
        return f"saga {node.id}, undo {node.undo}"
    if isinstance(node, model.Each):
        return f"each {node.id}, {node.at_once} at once"
    return f"repeat {node.id}, at most {node.at_most} times"


def _time_of(node: model.Wait | model.EventNode) -> str:
    if node.until is not None:
        return f"until {model.write_template(node.until)}"
    if node.seconds is None:
        return "for ever"
    return f"{model.write_template(node.seconds)} s"


def _alternatives(
    node: model.AttemptNode | model.Parallel | model.Choose, marks: dict[str, Mark]
) -> list[Box]:
    """Return what stands beside each other in a node."""
    if isinstance(node, model.AttemptNode):
        handlers = [
            _frame(f"on {', '.join(on.errors)}", _block(on.body, marks), dashed=True)
            for on in node.handlers
        ]
        return [_block(node.body, marks), *handlers]
    if isinstance(node, model.Parallel):
        return [_frame(branch.id, _block(branch.body, marks)) for branch in node.branches]
    cases = [
        _frame(encode(model.write_condition(case.when)).decode(), _block(case.body, marks))
        for case in node.cases
    ]
    if node.otherwise:
        cases.append(_frame("otherwise", _block(node.otherwise, marks)))
    return cases


def _step_lines(step: model.Step) -> list[str]:
    lines = [step.id]
    if step.function != step.id:
        lines.append(f"calls {step.function}")
    tries = "" if step.retry == NEVER else f", {step.retry.attempts} attempts"
    lines.append(f"{step.effect.value}, {step.timeout} s{tries}")
    return [*lines, *_undo_lines(step)]


def _undo_lines(node: model.Step | model.Child) -> list[str]:
    return [] if node.undo is None else [f"undo: {node.undo.function}"]


def _text_box(lines: Sequence[str], mark: Mark | None) -> Box:
    cut = [line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…" for line in lines]
    width = max(map(len, cut)) * LETTER + 2 * PADDING
    height = len(cut) * LINE + PADDING
    shapes = []
    if mark is not None:
        words, fill, stroke = mark.value
        shapes.append(
            f'<rect width="{width:.1f}" height="{height}" rx="6" fill="{fill}" stroke="{stroke}">'
            f"<title>{words}</title></rect>"
        )
    for number, line in enumerate(cut):
        weight = ' font-weight="bold"' if number == 0 else ' fill="#4a5568"'
        y = PADDING / 2 + LINE * (number + 1) - 4
        shapes.append(
            f'<text x="{width / 2:.1f}" y="{y:.1f}" text-anchor="middle"{weight}>'
            f"{escape(line)}</text>"
        )
    return Box(width, height, tuple(shapes))


def _frame(label: str, inner: Box, *, dashed: bool = False) -> Box:
    name = _text_box([label], None)
    width = max(inner.width, name.width) + 2 * PADDING
    height = inner.height + name.height + PADDING
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    shape = (
        f'<rect width="{width:.1f}" height="{height:.1f}" rx="8" fill="none" '
        f'stroke="#cbd2dc"{dash}/>'
    )
    parts = (((width - name.width) / 2, 0.0, name), ((width - inner.width) / 2, name.height, inner))
    return Box(width, height, (shape,), parts)


def _stack(boxes: Sequence[Box], *, arrows: bool = True) -> Box:
    width = max(box.width for box in boxes)
    y, parts, shapes = 0.0, [], []
    for number, box in enumerate(boxes):
        if number:
            if arrows:
                shapes.append(
                    f'<path d="M{width / 2:.1f} {y + 2:.1f}V{y + GAP - 4:.1f}m-4 -4l4 5l4 -5" '
                    'fill="none" stroke="#6b7686"/>'
                )
            y += GAP
        parts.append(((width - box.width) / 2, y, box))
        y += box.height
    return Box(width, y, tuple(shapes), tuple(parts))


def _join_boxes(boxes: Sequence[Box]) -> Box:
    x, parts = 0.0, []
    for box in boxes:
        parts.append((x, 0.0, box))
        x += box.width + PADDING
    return Box(x - PADDING, max(box.height for box in boxes), (), tuple(parts))


def _draw(box: Box, x: float, y: float) -> list[str]:
    lines = [f'<g transform="translate({x:.1f} {y:.1f})">', *box.shapes]
    for dx, dy, part in box.parts:
        lines += _draw(part, dx, dy)
    return [*lines, "</g>"]
