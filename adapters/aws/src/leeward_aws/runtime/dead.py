"""Dead letters of SQS: a record as a letter, and how a queue is asked from inside of Lambda."""

from __future__ import annotations

import os
from binascii import a2b_base64
from collections.abc import Mapping
from typing import Any

from leeward.adapter import TargetConfig
from leeward.app.kit import DeadLetters, Letter, Perform, dead_letters_at
from leeward.calls import Attribute


def dead_letters(queues: Mapping[str, str] | None) -> DeadLetters:
    """Return the dead-letter queues of an app; the target is opened when one is first needed."""

    def target() -> Perform:
        from leeward_aws.driver import open_driver

        return open_driver(TargetConfig("aws", "aws", None, {}, os.environ)).perform

    return dead_letters_at(queues, target)


def letter_of(record: dict[str, Any], queue: str, attempt: int | None) -> Letter:
    """Return a record as a letter: the body as it came, with all of its attributes."""
    body = record.get("body") or ""
    told = record.get("attributes") or {}
    return Letter(
        queue,
        body.encode(errors="surrogatepass"),
        tuple(
            _attribute(name, each) for name, each in (record.get("messageAttributes") or {}).items()
        ),
        record["messageId"],
        attempt,
        told.get("MessageGroupId"),
        str(record.get("eventSourceARN")).rpartition(":")[2],
        record.get("receiptHandle") or "",
    )


def _attribute(name: str, told: dict[str, Any]) -> Attribute:
    binary = told.get("binaryValue")
    value = a2b_base64(binary) if isinstance(binary, str) else told.get("stringValue") or ""
    return Attribute(name, value, told.get("dataType") or "")
