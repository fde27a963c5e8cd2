"""What `leeward doctor --exported` compares on AWS, by the facts of an app.

It says what the module makes of the facts, in the words in which `leeward_aws.resources` looks at
what is there. A variable of the module wins over a fact: who sets one sees that it differs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from leeward.adapter.looking import Expected
from leeward.calls.looks import NONE
from leeward_aws.resources import digest_of
from leeward_deploy.aws.notes import function_name
from leeward_deploy.facts import Facts
from leeward_deploy.needs import shorten

MEMORY: Final = 256
"""Megabytes of a function of which nobody says how many."""

RETENTION: Final = 14 * 24 * 3600
"""Seconds that a dead letter is kept: the longest that SQS does."""

USUAL_RETENTION: Final = 4 * 24 * 3600
"""Seconds that SQS keeps a message of which nobody says how long."""


def expectations(facts: Facts, texts: Facts, targets: Mapping[str, str]) -> Iterator[Expected]:
    """Yield what each region has once the module has been applied.

    Args:
        facts: of the app.
        texts: of the files that the facts name.
        targets: of the order, by their regions.
    """
    for region, target in targets.items():
        for parts in (_handlers, _queues, _triggers, _data):
            for type, name, has in parts(facts, region):
                row = {word: NONE if value is None else value for word, value in has.items()}
                yield Expected("resource", name, target, type, row)
        for flow in facts["flows"].values():
            if not flow.get("existing"):
                digest = digest_of(json.loads(_with_names(texts[flow["file"]], facts, region)))
                has = {"type": "STANDARD", "definition": digest}
                name = flow["name"].rpartition(":")[2]
                yield Expected("resource", name, target, "state machine", has)


def own_name(fact: Mapping[str, Any], region: str) -> str:
    """Return the own name of a named thing in a region."""
    return str(fact.get("names", {}).get(region, fact["name"]))


def _with_names(text: str, facts: Facts, region: str) -> str:
    """Return a workflow with own names in place of ``@@name@@``."""
    callees = {**facts["functions"], **facts["handlers"]}
    parts = text.split("@@")
    parts[1::2] = [own_name(callees[name], region) for name in parts[1::2]]
    return "".join(parts)


def _handlers(facts: Facts, region: str) -> Iterator[tuple[str, str, Facts]]:
    """Yield functions, how often they are called again, and what leads from queues to them."""
    settings = facts["settings"]
    for name, handler in facts["handlers"].items():
        function = function_name(own_name(handler, region))
        reserved = handler.get("concurrency") or settings["limit"]
        if reserved is None and handler["kind"] == "call" and region != facts["serving"]:
            reserved = settings["standby_instances"]
        letters = facts["dead_letters"][handler["dead_letters"]]
        has = {
            "handler": "handler.lambda_handler",
            "runtime": f"python{facts['python']}",
            "architecture": facts["arch"],
            "memory": handler.get("memory") or settings["memory"] or MEMORY,
            "timeout": handler["seconds"],
            # What is reserved for a consumer would starve the others.
            "reserved concurrency": None if "queue" in handler else reserved,
            "role": handler["role"].rpartition("/")[2]
            if "role" in handler
            else shorten(f"{facts['title']}{name}-role-{region}", 64),
            "callers": sorted(_callers(facts, name, region)),
            "variable": {
                "LEEWARD_FUNCTION": name,
                **({"CLOUD_PROVIDER": facts["order"]} if facts["order"] else {}),
                **({"LEEWARD_STAGE": facts["stage"]} if facts["stage"] else {}),
            },
        }
        yield "settings of the function", function, has
        dead = None if letters.get("ordered") else letters["name"]
        retries = {"retries": handler["retries"], "dead letters": dead}
        yield "retries of the function", function, retries
        if "queue" in handler:
            has = {
                "queue": own_name(facts["queues"][handler["queue"]], region),
                "enabled": True,
                "batch": 10,
                "concurrency": handler.get("concurrency") or settings["concurrency"],
                "partial failures": True,
            }
            yield "mapping of the function", function, has


def _callers(facts: Facts, name: str, region: str) -> Iterator[str]:
    """Yield the services that may call the function of a handler, each once."""
    handler = facts["handlers"][name]
    if any(subscription["handler"] == name for subscription in facts["subscriptions"].values()):
        yield "events.amazonaws.com"
    if handler["kind"] == "call" and facts["entrance"]:
        yield "apigateway.amazonaws.com"
    if handler["kind"] == "object" and "queue" not in handler:
        bucket = facts["buckets"].get(handler["bucket"])
        if bucket is not None and bucket.get("home", region) == region:
            yield "s3.amazonaws.com"


def _queues(facts: Facts, region: str) -> Iterator[tuple[str, str, Facts]]:
    for queue in facts["queues"].values():
        if not queue.get("existing"):
            has = {
                "visibility timeout": 6 * queue["seconds"],
                "retention": USUAL_RETENTION,
                "dead letters": facts["dead_letters"][queue["dead_letters"]]["name"],
                "receives": queue["deliveries"],
                "deletion denied": True,
            }
            yield "queue", own_name(queue, region), has
    for letters in facts["dead_letters"].values():
        has = {"visibility timeout": 30, "retention": RETENTION, "dead letters": None}
        yield "queue", letters["name"], {**has, "receives": None, "deletion denied": True}


def _triggers(facts: Facts, region: str) -> Iterator[tuple[str, str, Facts]]:
    for name, subscription in facts["subscriptions"].items():
        pattern = {"detail-type": [subscription["type"]]} if "type" in subscription else None
        function = function_name(own_name(facts["handlers"][subscription["handler"]], region))
        has = {
            "bus": own_name(facts["buses"][subscription["bus"]], region).rpartition(":")[2],
            "state": "ENABLED",
            "pattern": digest_of(pattern or {"source": [{"prefix": ""}]}),
            "targets": [function],
        }
        yield "rule", shorten(f"{facts['title']}{name}", 64), has
    for name, handler in facts["handlers"].items():
        if "schedule" in handler:
            has = {
                "state": "ENABLED" if region == facts["serving"] else "DISABLED",
                "expression": handler["schedule"],
                "time zone": "UTC",
                "target": function_name(own_name(handler, region)),
            }
            yield "schedule", shorten(f"{facts['title']}{name}", 64), has


def _data(facts: Facts, region: str) -> Iterator[tuple[str, str, Facts]]:
    """Yield what protects data, and whom a bucket tells."""
    for table in facts["tables"].values():
        if not table.get("existing") and table.get("home") == region:
            has = {
                "key": table["key"],
                "expiry": "_leeward_expires",
                "deletion protection": True,
                "point-in-time recovery": True,
            }
            yield "settings of the table", table["name"], has
    for name, bucket in facts["buckets"].items():
        if not bucket.get("existing") and bucket.get("home") == region:
            has = {
                "versioning": "Enabled",
                "public access": "blocked",
                "notifications": sorted(
                    f"{facts['aws'].get('filters', {}).get(trigger, '')}* to "
                    + (
                        own_name(facts["queues"][handler["queue"]], region)
                        if "queue" in handler
                        else function_name(own_name(handler, region))
                    )
                    for trigger, handler in facts["handlers"].items()
                    if handler.get("bucket") == name
                ),
            }
            yield "settings of the bucket", bucket["name"], has
