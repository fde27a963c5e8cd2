"""What an exported file says of subscriptions is compared with what Pub/Sub has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leeward.adapter.plans import Send, View
from leeward.adapter.wire import Response
from leeward.calls import Look, LookResult
from leeward.calls.looks import RESOURCE
from leeward.errors import Outcome
from leeward_google.events.plans import PubSubEndpoint
from leeward_google.looks import looks_at_resource
from tests.packages.exported import expected

ENDPOINT = PubSubEndpoint("http://127.0.0.1:1", "shop", emulator=True)


def answered(look: Look, status: int, told: dict[str, Any]) -> tuple[str, Any]:
    """Look, with one answer of Pub/Sub; give the path that was asked for, and the result."""
    plan = looks_at_resource(ENDPOINT, look, View(1000.0, 5.0))
    step = next(plan)
    assert isinstance(step, Send)
    assert not step.effect
    with pytest.raises(StopIteration) as ended:
        plan.send(Response(status, {}, json.dumps(told).encode()))
    return step.request.target, ended.value.value


CHANGES: dict[str, dict[str, Any]] = {
    "topic": {"topic": "projects/shop/topics/other"},
    "seconds": {"ackDeadlineSeconds": 11},
    "filter": {"filter": 'attributes.x = "y"'},
    "pushes": {"pushConfig": {}},
    "dead letters": {"deadLetterPolicy": {"maxDeliveryAttempts": 5}},
    "deliveries": {"deadLetterPolicy": {"deadLetterTopic": "t"}},
}


def test_a_subscription_is_compared(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """By each setting that a message's way depends on; what nobody looks at is said."""
    known = {each["name"]: each for each in expected("google", tmp_path)}
    each = known["shop-send"]
    look = Look(each["name"], RESOURCE, type=each["type"], has=each["has"])
    has = each["has"]
    told: dict[str, Any] = {
        "topic": f"projects/shop/topics/{has['topic']}",
        "ackDeadlineSeconds": has["seconds"],
        "pushConfig": {"pushEndpoint": "https://send.example"},
        "deadLetterPolicy": {
            "deadLetterTopic": f"projects/shop/topics/{has['dead letters']}",
            "maxDeliveryAttempts": has["deliveries"],
        },
    }
    path, result = answered(look, 200, told)
    assert path == "/v1/projects/shop/subscriptions/shop-send"
    assert result.value == LookResult(unseen=("address", "account"))
    for name, change in CHANGES.items():
        with subtests.test(name):
            _, result = answered(look, 200, told | change)
            assert any(each.startswith(name) for each in result.value.differs)
    _, result = answered(look, 404, {"error": {"status": "NOT_FOUND", "code": 404}})
    assert result.outcome is Outcome.NOT_FOUND
    rest = [each for each in known.values() if each.get("type") == "settings of"]
    assert rest
