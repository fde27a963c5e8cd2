"""The plans of backups and exports of the clouds' own: what is sent, and what the answer means."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from leeward._http.messages import Response
from leeward.calls import LookNative, NativeJob, StartNative
from leeward.errors import Outcome, Unsupported
from leeward_aws.identity.credentials import Credentials
from leeward_aws.settings.options import Settings
from leeward_aws.tables import backups as aws
from leeward_azure.tables import backups as azure
from leeward_contract_tests.rows import each_row
from leeward_google.identity.credentials import Bearer
from leeward_google.settings.services import Tables
from leeward_google.tables import backups as google
from tests import playing

EXPORT = StartNative("orders", "export", "token-1", "exports", "at")
BACKUP = StartNative("orders", "backup", "leeward-1")
ARN = "arn:aws:dynamodb:us-east-1:1:table/orders"
OPERATION = "projects/shop/databases/(default)/operations/op1"

AWS = aws.backups(Settings("eu-west-1", {"dynamodb": "https://dynamodb.eu-west-1.amazonaws.com"}))
GOOGLE = google.backups(Tables("https://firestore.googleapis.com"), "shop")

_on_aws: Any = partial(playing.play, credential=Credentials("AKID", "secret"))
_on_google: Any = partial(playing.play, credential=Bearer("token"))


def _answer(document: Any, status: int = 200) -> Response:
    return Response(status, {}, json.dumps(document).encode())


def test_a_backup_of_dynamodb_is_one_request() -> None:
    """Its name is that of the call, and what it can be restored into is said."""
    details = {"BackupArn": f"{ARN}/backup/1", "BackupStatus": "CREATING"}
    played = _on_aws(AWS["start_native"], BACKUP, _answer({"BackupDetails": details}))
    assert played.result.value[:2] == (f"{ARN}/backup/1", "running")
    (sent,) = played.sent
    assert dict(sent.headers)["X-Amz-Target"] == "DynamoDB_20120810.CreateBackup"
    assert json.loads(sent.body) == {"TableName": "orders", "BackupName": "leeward-1"}
    told = {"BackupDescription": {"BackupDetails": {**details, "BackupStatus": "AVAILABLE"}}}
    played = _on_aws(AWS["look_native"], LookNative(f"{ARN}/backup/1"), _answer(told))
    assert dict(played.sent[0].headers)["X-Amz-Target"] == "DynamoDB_20120810.DescribeBackup"
    assert (played.result.value.state, "new table" in played.result.value.told) == ("done", True)


def test_an_export_of_dynamodb_looks_for_the_table_first() -> None:
    """Its token makes a repeated call the same one; in the end it says how it is read."""
    told: dict[str, Any] = {"ExportArn": f"{ARN}/export/1", "ExportStatus": "IN_PROGRESS"}
    played = _on_aws(
        AWS["start_native"],
        EXPORT,
        _answer({"Table": {"TableArn": ARN}}),
        _answer({"ExportDescription": told}),
    )
    assert played.result.value[:2] == (f"{ARN}/export/1", "running")
    assert json.loads(played.sent[1].body) == {
        "TableArn": ARN,
        "S3Bucket": "exports",
        "S3Prefix": "at",
        "ExportFormat": "DYNAMODB_JSON",
        "ExportType": "FULL_EXPORT",
        "ClientToken": "token-1",
    }
    told |= {
        "ExportStatus": "COMPLETED",
        "ItemCount": 9,
        "S3Bucket": "exports",
        "ExportManifest": "at/AWSDynamoDB/1/manifest-summary.json",
    }
    look = LookNative(f"{ARN}/export/1")
    played = _on_aws(AWS["look_native"], look, _answer({"ExportDescription": told}))
    assert played.result.value[1:4] == ("done", 9, 9)
    assert played.result.value.told.endswith("--export exports/at/AWSDynamoDB/1")
    told |= {"ExportStatus": "FAILED", "FailureCode": "S3NoSuchBucket"}
    played = _on_aws(AWS["look_native"], look, _answer({"ExportDescription": told}))
    assert (played.result.value.state, played.result.value.told) == ("failed", "S3NoSuchBucket")


@each_row(
    "answers, outcome, sent",
    [
        ([_answer({"__type": "ResourceNotFoundException"}, 400)], Outcome.NOT_FOUND, 1),
        ([_answer({"Table": {}})], Outcome.NOT_SENT, 1),
        ([Response(500)], Outcome.NOT_SENT, 1),
        (
            [
                _answer({"Table": {"TableArn": ARN}}),
                _answer({"__type": "x#PointInTimeRecoveryUnavailableException"}, 400),
            ],
            Outcome.UNUSABLE,
            2,
        ),
        ([_answer({"Table": {"TableArn": ARN}}), Response(500)], Outcome.AMBIGUOUS, 2),
        ([_answer({"Table": {"TableArn": ARN}}), _answer({})], Outcome.AMBIGUOUS, 2),
    ],
)
def test_what_became_of_an_export_is_not_guessed(
    answers: list[Response], outcome: Outcome, sent: int
) -> None:
    """Nothing was started while only the table was looked for; then it may have been."""
    played = _on_aws(AWS["start_native"], EXPORT, *answers)
    assert (played.result.outcome, len(played.sent)) == (outcome, sent)


def test_an_export_of_firestore_is_of_one_moment() -> None:
    """The last whole minute but one: without a time it would be consistent with none."""
    played = _on_google(
        GOOGLE["start_native"], EXPORT, _answer({"name": OPERATION}), now=1_767_225_630.5
    )
    assert played.result.value == NativeJob(OPERATION, "running")
    (sent,) = played.sent
    assert sent.target == "/v1/projects/shop/databases/(default):exportDocuments"
    assert json.loads(sent.body) == {
        "collectionIds": ["orders"],
        "outputUriPrefix": "gs://exports/at",
        "snapshotTime": "2025-12-31T23:59:00Z",
    }


@each_row(
    "document, state, done, total",
    [
        (
            {"metadata": {"progressDocuments": {"estimatedWork": "9", "completedWork": "4"}}},
            *("running", 4, 9),
        ),
        ({"done": True, "metadata": {"outputUriPrefix": "gs://b/p"}}, "done", None, None),
        ({"done": True, "error": {"code": 7, "message": "no"}}, "failed", None, None),
    ],
)
def test_how_far_an_export_of_firestore_is(
    document: dict[str, Any], state: str, done: int | None, total: int | None
) -> None:
    """In documents, as far as the service says."""
    answer = _answer({"name": OPERATION, **document})
    played = _on_google(GOOGLE["look_native"], LookNative(OPERATION), answer)
    assert played.result.value[:4] == (OPERATION, state, done, total)
    assert played.sent[0].target == f"/v1/{OPERATION}"


def test_what_a_service_does_not_do_is_said() -> None:
    """With what it does, and what to use."""
    with pytest.raises(Unsupported, match="by schedule alone"):
        _on_google(GOOGLE["start_native"], BACKUP)
    for call in (BACKUP, EXPORT):
        with pytest.raises(Unsupported, match="backs up by itself"):
            _on_aws(azure.backups(None)["start_native"], call)
