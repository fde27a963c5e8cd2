"""The dashboard of an app in Grafana: what OpenTelemetry gets of leeward, as Prometheus has it.

Prometheus has other names than OpenTelemetry: underscores for dots, the unit behind, ``_total``
behind a counter. So the queries are made of the names in `leeward.otel`, and of what each of them
is.

Sources: "Prometheus and OpenMetrics Compatibility" in OpenTelemetry's specification; "Dashboard
JSON model" in Grafana's documentation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from leeward import otel

Json = dict[str, Any]

SCHEMA: Final = 41
"""The version of the model, since Grafana 11.6; later ones read it, too."""

COLUMNS: Final = 24
WIDTH: Final = 8
HEIGHT: Final = 8
"""Of the grid, and of one panel."""

SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

INTERVAL: Final = "$__rate_interval"

STATE_COLOURS: Final = ("green", "yellow", "orange", "red", "purple")
"""Of the states of a target, in the order of `leeward.otel.STATES`."""


class Query(NamedTuple):
    """One query of a panel.

    Attributes:
        expression: in PromQL.
        legend: in Grafana's templates.
    """

    expression: str
    legend: str


class Panel(NamedTuple):
    """One panel of lines over time.

    Attributes:
        title: what it shows.
        queries: of it.
        unit: by Grafana's name.
        told: what a reader should know.
        states: the values are states of targets.
    """

    title: str
    queries: Sequence[Query]
    unit: str = "short"
    told: str = ""
    states: bool = False


def name_of(metric: str, kind: str = "", unit: str = "") -> str:
    """Return a metric as Prometheus calls it; `kind` is ``total``, ``bucket`` or nothing."""
    return "_".join(part for part in (metric.replace(".", "_"), unit, kind) if part)


def dashboard(title: str) -> Json:
    """Return the dashboard."""
    return {
        "title": title,
        "uid": None,
        "schemaVersion": SCHEMA,
        "editable": True,
        "refresh": "1m",
        "tags": ["leeward"],
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]
        },
        "panels": list(_arrange()),
    }


def text_of(title: str) -> str:
    """Return the dashboard as a file that Grafana imports."""
    return f"{json.dumps(dashboard(title), indent=2)}\n"


def _rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}[{INTERVAL}]))"


def _quantile(metric: str, share: float, by: str) -> str:
    inner = _rate(name_of(metric, "bucket", "seconds"), f"le, {by}")
    return f"histogram_quantile({share}, {inner})"


def _label(attribute: str) -> str:
    return attribute.replace(".", "_")


FUNCTION, KIND = _label(otel.FAAS_NAME), _label(otel.ERROR)
TARGET, VERB, OUTCOME = _label(otel.TARGET), _label(otel.VERB), _label(otel.OUTCOME)
QUEUE = f"{_label(otel.MESSAGING_NAME)}, {_label(otel.SUBSCRIPTION)}"
"""Labels, by which lines are told apart."""

_QUEUES: Final = f"{{{{{_label(otel.MESSAGING_NAME)}}}}} {{{{{_label(otel.SUBSCRIPTION)}}}}}"


def _rows() -> Iterator[tuple[str, Sequence[Panel]]]:
    """Yield the rows of the dashboard, each with its panels."""
    yield "Handlers", _of_handlers()
    yield "Queues and subscriptions", _of_queues()
    yield "Targets", _of_targets()
    yield "Calls of clients", _of_calls()


def _of_handlers() -> Sequence[Panel]:
    runs, errors = name_of(otel.INVOCATIONS, "total"), name_of(otel.ERRORS, "total")
    cold = name_of(otel.COLD_STARTS, "total")
    function = f"{{{{{FUNCTION}}}}}"
    return (
        Panel("Runs that went well", [Query(_rate(runs, FUNCTION), function)], "ops"),
        Panel(
            "Failures",
            [Query(_rate(errors, f"{FUNCTION}, {KIND}"), f"{function} {{{{{KIND}}}}}")],
            "ops",
        ),
        Panel(
            "Duration",
            [
                Query(_quantile(otel.INVOKE_SECONDS, 0.5, FUNCTION), f"{function} 50 %"),
                Query(_quantile(otel.INVOKE_SECONDS, 0.99, FUNCTION), f"{function} 99 %"),
            ],
            "s",
        ),
        Panel("Cold starts", [Query(_rate(cold, FUNCTION), function)], "ops"),
    )


def _of_queues() -> Sequence[Panel]:
    largest = "All workers of one target tell the same, so this is the largest."
    clouds = "From workers. Queues of a cloud have metrics of their own."
    return (
        Panel(
            "Messages that wait",
            [Query(f"max by ({QUEUE}) ({name_of(otel.QUEUE_WAITING)})", _QUEUES)],
            told=f"{largest} {clouds}",
        ),
        Panel(
            "Age of the oldest message",
            [Query(f"max by ({QUEUE}) ({name_of(otel.QUEUE_AGE, unit='seconds')})", _QUEUES)],
            "s",
            told=largest,
        ),
        Panel(
            "Dead letters",
            [Query(f"max by ({QUEUE}) ({name_of(otel.QUEUE_DEAD)})", _QUEUES)],
            told=f"{largest} See them with leeward dlq list.",
        ),
        Panel(
            "Events in the spool",
            [Query(f"max({name_of(otel.EVENTS_SPOOLED)})", "events")],
            told="Events that no target takes. See them with leeward spool status.",
        ),
    )


def _of_targets() -> Sequence[Panel]:
    target = f"{{{{{TARGET}}}}}"
    decision = _label(otel.DECISION)
    return (
        Panel(
            "State",
            [Query(f"max by ({TARGET}) ({name_of(otel.TARGET_STATE)})", target)],
            told="The worst circuit of each target, in the process that sees it worst.",
            states=True,
        ),
        Panel(
            "Requests under way, and calls that wait",
            [
                Query(f"sum by ({TARGET}) ({name_of(otel.TARGET_PLACES)})", f"{target} under way"),
                Query(f"sum by ({TARGET}) ({name_of(otel.TARGET_WAITING)})", f"{target} waits"),
            ],
        ),
        Panel(
            "Decisions of the router",
            [
                Query(
                    _rate(name_of(otel.DECISIONS, "total"), f"{TARGET}, {decision}"),
                    f"{target} {{{{{decision}}}}}",
                )
            ],
            "ops",
        ),
    )


def _of_calls() -> Sequence[Panel]:
    reason = _label(otel.REASON)
    unknown = name_of(otel.CALLS_UNKNOWN, "total")
    settled = name_of(otel.CALLS_SETTLED, "total")
    count = name_of(otel.CALL_SECONDS, "count", "seconds")
    return (
        Panel(
            "Calls by outcome",
            [Query(_rate(count, f"{VERB}, {OUTCOME}"), f"{{{{{VERB}}}}} {{{{{OUTCOME}}}}}")],
            "ops",
        ),
        Panel(
            "Duration, 99 %",
            [
                Query(
                    _quantile(otel.CALL_SECONDS, 0.99, f"{VERB}, {TARGET}"),
                    f"{{{{{VERB}}}}} {{{{{TARGET}}}}}",
                )
            ],
            "s",
        ),
        Panel(
            "Attempts by reason",
            [
                Query(
                    _rate(name_of(otel.CALL_ATTEMPTS, "total"), f"{TARGET}, {reason}"),
                    f"{{{{{TARGET}}}}} {{{{{reason}}}}}",
                )
            ],
            "ops",
        ),
        Panel(
            "Unknown calls",
            [
                Query(f"sum(increase({unknown}[{INTERVAL}]))", "ended unknown"),
                Query(f"sum(increase({settled}[{INTERVAL}]))", "settled"),
                Query(f"max({name_of(otel.CALLS_OPEN)})", "open"),
            ],
            told="Calls that may have run, or not. See them with leeward unknown list.",
        ),
    )


def _arrange() -> Iterator[Json]:
    """Yield the panels with their places."""
    number, top = 0, 0
    for title, panels in _rows():
        number += 1
        place = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
        yield {"type": "row", "id": number, "title": title, "collapsed": False, "gridPos": place}
        for at, panel in enumerate(panels):
            number += 1
            row, column = divmod(at, COLUMNS // WIDTH)
            place = {
                "x": column * WIDTH,
                "y": top + 1 + row * HEIGHT,
                "w": WIDTH,
                "h": HEIGHT,
            }
            yield {**_panel_json(panel), "id": number, "gridPos": place}
        top += 1 + HEIGHT * (1 + (len(panels) - 1) // (COLUMNS // WIDTH))


def _panel_json(panel: Panel) -> Json:
    defaults: Json = {"unit": panel.unit, "min": 0}
    if panel.states:
        names = zip(otel.STATES, STATE_COLOURS, strict=True)
        options = {
            str(number): {"text": name, "color": colour, "index": number}
            for number, (name, colour) in enumerate(names)
        }
        defaults["mappings"] = [{"type": "value", "options": options}]
    return {
        "type": "state-timeline" if panel.states else "timeseries",
        "title": panel.title,
        "description": panel.told,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "expr": query.expression,
                "legendFormat": query.legend,
                "datasource": SOURCE,
            }
            for number, query in enumerate(panel.queries)
        ],
    }
