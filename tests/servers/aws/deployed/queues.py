"""Receiving from SQS with nothing but the standard library, so that a function starts at once."""

from __future__ import annotations

import hmac
import http.client
import json
import os
import time
from contextlib import closing
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

_TYPE = "application/x-amz-json-1.0"
_SIGNED = "content-type;host;x-amz-date;x-amz-target"


def receive(queue: dict[str, str]) -> list[dict[str, Any]]:
    """Take up to ten messages from `queue`, a mapping with its `region` and its `url`."""
    answer = _call(queue, "ReceiveMessage", {"MaxNumberOfMessages": 10})
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages


def delete(queue: dict[str, str], messages: list[dict[str, Any]]) -> None:
    """Let `queue` forget messages that were received from it."""
    entries = [
        {"Id": str(number), "ReceiptHandle": each["ReceiptHandle"]}
        for number, each in enumerate(messages)
    ]
    _call(queue, "DeleteMessageBatch", {"Entries": entries})


def _call(queue: dict[str, str], operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
    host = urlsplit(queue["url"]).netloc
    body = json.dumps({"QueueUrl": queue["url"], **arguments}).encode()
    headers = _headers(host, f"AmazonSQS.{operation}", queue["region"], body)
    with closing(http.client.HTTPConnection(host, timeout=60)) as connection:
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        document: dict[str, Any] = json.loads(answer.read() or b"{}")
    if answer.status != 200:
        raise RuntimeError(f"{operation} was answered {answer.status}: {document}")
    return document


def _headers(host: str, target: str, region: str, body: bytes) -> dict[str, str]:
    """Give the headers of a signed request (Signature Version 4)."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    place = f"{stamp[:8]}/{region}/sqs/aws4_request"
    canonical = (
        f"POST\n/\n\ncontent-type:{_TYPE}\nhost:{host}\nx-amz-date:{stamp}\n"
        f"x-amz-target:{target}\n\n{_SIGNED}\n{sha256(body).hexdigest()}"
    )
    digest = sha256(canonical.encode()).hexdigest()
    key = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in place.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{place}\n{digest}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return {
        "Content-Type": _TYPE,
        "Host": host,
        "X-Amz-Date": stamp,
        "X-Amz-Target": target,
        "Authorization": (
            f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{place}, "
            f"SignedHeaders={_SIGNED}, Signature={signature}"
        ),
    }
