"""Events as the services of AWS send them to Lambda, made after the pages of its developer guide.

Each has the members that the guide names, one that it does not, and what is easily taken for
granted: maps that are null, headers in odd case, bodies in base64.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

ACCOUNT = "123456789012"
REGION = "us-east-1"
CLOUD_EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/shop",
    "type": "order.created",
    "time": "2026-01-31T12:00:00Z",
    "subject": "42",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "datacontenttype": "application/json",
    "data": {"id": "42"},
}


def http_2(
    path: str, body: str | None, method: str = "POST", headers: Any = None, **more: Any
) -> dict[str, Any]:
    """A request of a Function URL, or of an HTTP API, in form 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "cookies": ["a=b"],
        "headers": {"content-type": "application/json", **(headers or {})},
        "queryStringParameters": None,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "url-id",
            "authentication": None,
            "domainName": "url-id.lambda-url.us-east-1.on.aws",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "agent",
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "time": "31/Jan/2026:12:00:00 +0000",
            "timeEpoch": 1769860800000,
        },
        "body": body,
        "isBase64Encoded": False,
        "unknown": 1,
        **more,
    }


def http_1(
    path: str, body: str | None, method: str = "POST", headers: Any = None, **more: Any
) -> dict[str, Any]:
    """A request of a REST API, in form 1.0: maps may be null, names of headers keep their case."""
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": None,
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "api-id",
            "authorizer": None,
            "httpMethod": method,
            "identity": {"sourceIp": "192.0.2.1"},
            "path": f"/prod{path}",
            "protocol": "HTTP/1.1",
            "requestId": "id",
            "stage": "prod",
        },
        "body": body,
        "isBase64Encoded": False,
        **more,
    }


def base64(text: str) -> dict[str, Any]:
    """The body of a request that is not sent as text."""
    return {"body": b64encode(text.encode()).decode(), "isBase64Encoded": True}


def bus_event(detail: Any, **more: Any) -> dict[str, Any]:
    """An event of EventBridge."""
    return {
        "version": "0",
        "id": "12345678-1234-1234-1234-111122223333",
        "detail-type": "order.created",
        "source": "/shop",
        "account": ACCOUNT,
        "time": "2026-01-31T12:00:00Z",
        "region": REGION,
        "resources": [],
        "detail": detail,
        **more,
    }


def rule_tick(rule: str) -> dict[str, Any]:
    """What a rule of EventBridge with a schedule sends."""
    return bus_event(
        {},
        **{
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}"],
        },
    )


def scheduler_tick() -> dict[str, Any]:
    """What EventBridge Scheduler sends if it is given no input."""
    return bus_event("{}", **{"detail-type": "Scheduled Event", "source": "aws.scheduler"})


def own_tick(name: str) -> dict[str, Any]:
    """The input that leeward's templates give to a schedule, once Scheduler has filled it in."""
    return {
        "source": "leeward.schedule",
        "schedule": name,
        "time": "2026-01-31T12:05:00Z",
        "attempt": "2",
    }


def sqs(*messages: tuple[str, str], queue: str = "parcels", **more: Any) -> dict[str, Any]:
    """A batch of SQS, of messages with id and body; all values of attributes are texts."""
    fifo = queue.endswith(".fifo")
    return {
        "Records": [
            {
                "messageId": id,
                "receiptHandle": "handle",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "2",
                    "SentTimestamp": "1769860800000",
                    "SenderId": "AIDA",
                    "ApproximateFirstReceiveTimestamp": "1769860800001",
                    "MessageGroupId": id.partition(":")[0],
                    **({"SequenceNumber": "1"} if fifo else {}),
                },
                "messageAttributes": {
                    "Idempotency-Key": {"stringValue": f"key-{id}", "dataType": "String"},
                    "blob": {"binaryValue": "AA==", "dataType": "Binary"},
                },
                "md5OfBody": "x",
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
                "awsRegion": REGION,
                **more,
            }
            for id, body in messages
        ]
    }


def notification(message: str, **more: Any) -> dict[str, Any]:
    """What SNS sends, to Lambda, or into a queue that does not take messages raw."""
    return {
        "Type": "Notification",
        "MessageId": "n-1",
        "TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:parcels",
        "Subject": None,
        "Message": message,
        "Timestamp": "2026-01-31T12:00:00.000Z",
        "SignatureVersion": "1",
        "Signature": "x",
        "SigningCertUrl": "https://sns.us-east-1.amazonaws.com/x.pem",
        "UnsubscribeUrl": "https://sns.us-east-1.amazonaws.com/",
        "MessageAttributes": {"traceparent": {"Type": "String", "Value": "00-a"}},
        **more,
    }


def sns(message: str, **more: Any) -> dict[str, Any]:
    """An event of SNS for Lambda."""
    return {
        "Records": [
            {
                "EventVersion": "1.0",
                "EventSubscriptionArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:parcels:id",
                "EventSource": "aws:sns",
                "Sns": notification(message, **more),
            }
        ]
    }


def s3(name: str = "ObjectCreated:Put", **item: Any) -> dict[str, Any]:
    """A notification of S3; keys are encoded as in a form, and deletions have no size."""
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": REGION,
                "eventTime": "2026-01-31T12:00:00.000Z",
                "eventName": name,
                "userIdentity": {"principalId": "AIDA"},
                "requestParameters": {"sourceIPAddress": "192.0.2.1"},
                "responseElements": {"x-amz-request-id": "r", "x-amz-id-2": "i"},
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "c",
                    "bucket": {"name": "objects", "arn": "arn:aws:s3:::objects"},
                    "object": {"key": "a+b/%C3%A9.txt", "sequencer": "005E", **item},
                },
            }
        ]
    }


def arrival(key: str = "in/a+b%2Bc/%C3%A9.txt", **more: Any) -> dict[str, Any]:
    """A record of an object in a bucket without versions; its key is encoded as in a form."""
    (record,) = s3()["Records"]
    item = {"key": key, "size": 3, "eTag": "d41d8cd9", "sequencer": "0055AED6DCD90281E5"}
    about = {**record["s3"], "bucket": {"name": "inbox", "arn": "arn:aws:s3:::inbox"}}
    return {**record, "s3": {**about, "object": {**item, **more}}}


def on_bus(kind: str = "Object Created", **item: Any) -> dict[str, Any]:
    """What S3 tells EventBridge; keys are as they are, names of members have hyphens."""
    found = {"key": "in/a b+c/é.txt", "size": 3, "etag": "d41d8cd9", "sequencer": "0055AED6DCD9"}
    detail = {
        "version": "0",
        "bucket": {"name": "inbox"},
        "object": {**found, **item},
        "request-id": "r",
        "requester": ACCOUNT,
        "source-ip-address": "192.0.2.1",
        "reason": "PutObject",
    }
    about = {"detail-type": kind, "source": "aws.s3", "resources": ["arn:aws:s3:::inbox"]}
    return bus_event(detail, **about)


TEST_OF_S3 = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2026-01-31T12:00:00.000Z",
    "Bucket": "objects",
    "RequestId": "r",
    "HostId": "h",
}
"""What S3 sends when notifications are set up."""
