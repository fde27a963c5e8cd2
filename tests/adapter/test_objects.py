"""The plans of objects on all three clouds: what an answer proves, and what it does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

import pytest

from leeward._http.messages import Failure, Phase, Request, Response
from leeward.adapter.objects import UNPROVED
from leeward.adapter.plans import Planner
from leeward.calls import (
    DeleteObject,
    FoundObject,
    GetObject,
    HeadObject,
    ListObjects,
    PutObject,
)
from leeward.errors import InvalidRequest, Outcome
from leeward_aws.identity.credentials import Credentials
from leeward_aws.objects import plans as aws
from leeward_aws.settings.options import Settings
from leeward_azure.identity.credentials import AccountKey
from leeward_azure.objects import plans as azure
from leeward_azure.settings.services import Blobs
from leeward_contract_tests.rows import each_row
from leeward_google.identity.credentials import Bearer
from leeward_google.objects import plans as google
from leeward_google.settings.services import Objects
from tests import playing

BODY: Final = b"id,total\n42,9.90\n"
DIGEST: Final = sha256(BODY).hexdigest()
PUT: Final = PutObject("reports", "2026/may.csv", BODY, DIGEST, "write-1", if_absent=True)
GET: Final = GetObject("reports", "2026/may.csv", 0, 100)
HEAD: Final = HeadObject("reports", "2026/may.csv")
LIST: Final = ListObjects("reports", "2026/")
DELETE: Final = DeleteObject("reports", "2026/may.csv")
CALLS: Final[list[Any]] = [PUT, GET, HEAD, LIST, DELETE]


class Cloud(NamedTuple):
    """How one cloud answers.

    Attributes:
        plans: by verb.
        credential: what they need.
        revision: of an object.
        found: the answer to a look at an object that this write id wrote.
        refused: an answer that refuses, from a status and the service's own word.
        words: that word for a condition that does not hold, an absent object and an absent bucket.
        untold: a success that does not tell the revision.
    """

    plans: Mapping[str, Planner]
    credential: Any
    revision: str
    found: Any
    refused: Any
    words: tuple[str, str, str]
    untold: Response


def _aws_found(write_id: str | None) -> Response:
    kept = {aws.WRITE_ID: write_id, aws.CHECKSUM: DIGEST} if write_id else {}
    told = {"etag": '"e1"', "content-range": f"bytes 0-0/{len(BODY)}", **kept}
    return Response(206, told, BODY[:1])


def _azure_found(write_id: str | None) -> Response:
    kept = {azure.WRITE_ID: write_id, azure.CHECKSUM: DIGEST} if write_id else {}
    return Response(200, {"etag": '"e1"', "content-length": str(len(BODY)), **kept})


def _google_found(write_id: str | None) -> Response:
    kept = {google.WRITE_ID: write_id, google.CHECKSUM: DIGEST} if write_id else {}
    document = {"name": "2026/may.csv", "size": str(len(BODY)), "generation": "7"}
    return Response(200, {}, json.dumps({**document, "metadata": kept}).encode())


def _aws_refused(status: int, word: str) -> Response:
    return Response(status, {}, f"<Error><Code>{word}</Code></Error>".encode())


def _azure_refused(status: int, word: str) -> Response:
    return Response(status, {"x-ms-error-code": word})


def _google_refused(status: int, word: str) -> Response:
    text = "The specified bucket does not exist." if word == "no bucket" else "told"
    reason = "notFound" if status == 404 else word
    error = {"code": status, "message": text, "errors": [{"reason": reason}]}
    return Response(status, {}, json.dumps({"error": error}).encode())


CLOUDS: Final = {
    "aws": Cloud(
        aws.objects(Settings("eu-west-1", {"s3": "https://s3.eu-west-1.amazonaws.com"})),
        Credentials("AKID", "secret"),
        '"e1"',
        _aws_found,
        _aws_refused,
        ("PreconditionFailed", "NoSuchKey", "NoSuchBucket"),
        Response(200),
    ),
    "azure": Cloud(
        azure.objects(Blobs("https://shop.blob.core.windows.net", "", "shop", "a2V5")),
        AccountKey("a2V5"),
        "e1",
        _azure_found,
        _azure_refused,
        ("ConditionNotMet", "BlobNotFound", "ContainerNotFound"),
        Response(201),
    ),
    "google": Cloud(
        google.objects(Objects("https://storage.googleapis.com")),
        Bearer("token"),
        "7",
        _google_found,
        _google_refused,
        ("conditionNotMet", "notFound", "no bucket"),
        Response(200, {}, b"{}"),
    ),
}

each_cloud = pytest.mark.parametrize("cloud", CLOUDS.values(), ids=CLOUDS)


def run(cloud: Cloud, call: Any, *answers: Response | Failure) -> playing.Played:
    return playing.play(
        cloud.plans[call.verb], call, *answers, credential=cloud.credential, fresh=cloud.credential
    )


@each_cloud
def test_a_put_is_one_request_that_carries_everything(cloud: Cloud) -> None:
    """Body, checksum, write id and condition; and the secret in none of it."""
    ok = {"etag": '"e1"'}
    answer = Response(cloud.untold.status, ok, json.dumps({"generation": "7"}).encode())
    result, (request,) = run(cloud, PUT, answer)[:2]
    assert (result.outcome, result.value) == (Outcome.OK, cloud.revision)
    wire = f"{request.target} {request.headers} ".encode() + request.body
    assert BODY in request.body
    for told in (b"write-1", DIGEST.encode()):
        assert told in wire
    assert b"ifGenerationMatch=0" in wire or b"If-None-Match" in wire


@each_cloud
def test_a_condition_that_does_not_hold_is_looked_into(cloud: Cloud) -> None:
    """The object may be this put's own, from an attempt that was answered whatever."""
    no = cloud.refused(412, cloud.words[0])
    mine = run(cloud, PUT, no, cloud.found("write-1")).result
    assert (mine.outcome, mine.value) == (Outcome.OK, cloud.revision)
    for other in (cloud.found("write-2"), cloud.found(None), cloud.refused(404, cloud.words[1])):
        result = run(cloud, PUT, no, other).result
        assert (result.outcome, result.value) == (Outcome.CONFLICT, None)
    for unseen in (Failure(Phase.RECEIVE, True, "curl.56"), Response(503)):
        result = run(cloud, PUT, no, unseen).result
        assert (result.outcome, result.reason) == (Outcome.AMBIGUOUS, UNPROVED)


def test_an_archived_object_is_looked_at_though_it_cannot_be_read() -> None:
    """S3 refuses its first byte, and tells the rest by HEAD; so a put finds its own echo there."""
    cloud = CLOUDS["aws"]
    archived = cloud.refused(403, "InvalidObjectState")
    kept = {aws.WRITE_ID: "write-1", aws.CHECKSUM: DIGEST}
    told = Response(200, {"etag": '"e1"', "content-length": "17", **kept})
    found = FoundObject(PUT.name, 17, '"e1"', "write-1", f"sha256:{DIGEST}")
    assert run(cloud, HEAD, archived, told).result.value == found
    no = cloud.refused(412, cloud.words[0])
    assert run(cloud, PUT, no, archived, told).result.outcome is Outcome.OK
    other = run(cloud, PUT._replace(write_id="write-2"), no, archived, told).result
    assert other.outcome is Outcome.CONFLICT
    assert run(cloud, GET, archived).result.outcome is Outcome.UNUSABLE


@each_cloud
def test_what_a_lost_answer_or_a_server_error_proves_is_nothing(cloud: Cloud) -> None:
    """Of any call: it is never an absent object, a conflict or a success."""
    for call in CALLS:
        for answer in (Failure(Phase.RECEIVE, True, "curl.56"), Response(500), Response(503)):
            assert run(cloud, call, answer).result.outcome is Outcome.AMBIGUOUS
        sent_not = run(cloud, call, Failure(Phase.CONNECT, False, "curl.7")).result
        assert sent_not.outcome is Outcome.NOT_SENT


@each_cloud
def test_the_page_of_a_proxy_is_not_believed(cloud: Cloud) -> None:
    """A 403, a 404, a 412 or a 200 without the service's words proves nothing."""
    for call in CALLS:
        for status in (403, 404, 412, 416):
            page = Response(status, {"content-type": "text/html"}, b"<html>no</html>")
            assert run(cloud, call, page).result.outcome is Outcome.AMBIGUOUS, (call.verb, status)
    for call in (PUT, HEAD, LIST):
        page = Response(200, {"content-type": "text/html"}, b"<html>welcome</html>")
        assert run(cloud, call, page).result.outcome is Outcome.AMBIGUOUS, call.verb


@each_cloud
def test_an_absent_object_is_not_an_absent_bucket(cloud: Cloud) -> None:
    """One is None, or deleted already; the other is NOT_FOUND, for whatever is asked."""
    _, gone, no_bucket = cloud.words
    for call in (GET, HEAD, DELETE):
        result = run(cloud, call, cloud.refused(404, gone)).result
        assert (result.outcome, result.value) == (Outcome.OK, None), call.verb
    for call in CALLS:
        result = run(cloud, call, cloud.refused(404, no_bucket)).result
        assert result.outcome is Outcome.NOT_FOUND, call.verb


@each_cloud
def test_a_revision_that_no_object_has_is_a_conflict_unsent(cloud: Cloud) -> None:
    """It would end the header, or the parameter, that it stands in."""
    put = PUT._replace(if_absent=False, if_revision='x"\r\nEvil: 1&a=b')
    for call in (put, GET._replace(if_revision=put.if_revision)):
        result, sent = run(cloud, call)[:2]
        assert (result.outcome, sent) == (Outcome.CONFLICT, [])


def test_no_object_has_the_generation_that_stands_for_none() -> None:
    """Cloud Storage takes 0 for a condition that nothing is there: it would create an object."""
    put = PUT._replace(if_absent=False, if_revision="0")
    result, sent = run(CLOUDS["google"], put)[:2]
    assert (result.outcome, sent) == (Outcome.CONFLICT, [])


@each_row("bucket", ["../b", "a/b", "a?b", "", "a b", "a%2Fb", "a\nb", "B#", "x" * 300])
@each_cloud
def test_a_bucket_cannot_lead_elsewhere(cloud: Cloud, bucket: str) -> None:
    """What cannot be a bucket's name is refused before anything is sent."""
    for call in CALLS:
        with pytest.raises(InvalidRequest) as raised:
            run(cloud, call._replace(bucket=bucket))
        assert raised.value.field == "bucket"


@each_cloud
def test_a_range_is_read_as_it_was_asked_for(cloud: Cloud) -> None:
    """One of another place or length, or of a size that does not fit, is not taken."""
    marks = {"etag": '"e1"', "x-goog-generation": "7"}

    def part(told: str, body: bytes) -> Any:
        call = GET._replace(start=3, length=5)
        return run(cloud, call, Response(206, {**marks, "content-range": told}, body)).result

    good = part("bytes 3-7/17", BODY[3:8])
    assert good.value.data == BODY[3:8]
    assert (good.value.found.size, good.value.found.revision) == (17, cloud.revision)
    assert part("bytes 3-4/5", b"xy").value.data == b"xy"
    wrong = ["bytes 0-4/17", "bytes 3-6/17", "bytes 3-7/*", "bytes 3-7/7", "", "bytes 3-7/17,"]
    for told in wrong:
        assert part(told, BODY[3:8]).outcome is Outcome.AMBIGUOUS, told
    assert part("bytes 3-4/17", b"xy").outcome is Outcome.AMBIGUOUS
    whole = run(cloud, GET._replace(start=3, length=5), Response(200, marks, BODY)).result
    assert whole.value is not None
    assert whole.value.data == BODY[3:8]


@each_row("cloud", ["aws", "azure"])
@each_row(
    "body",
    [
        b"",
        b"not xml",
        b'<!DOCTYPE a [<!ENTITY b "c">]><ListBucketResult><Contents/></ListBucketResult>',
        b"<ListBucketResult><Contents><Key>a</Key><Size>x</Size></Contents></ListBucketResult>",
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        b"<EnumerationResults><Blobs><Blob><Name>a</Name></Blob></Blobs></EnumerationResults>",
    ],
)
def test_a_list_that_cannot_be_read_is_ambiguous(cloud: str, body: bytes) -> None:
    """A document type is not read at all: entities are what makes XML dangerous."""
    assert run(CLOUDS[cloud], LIST, Response(200, {}, body)).result.outcome is Outcome.AMBIGUOUS


def test_names_in_lists_are_decoded() -> None:
    """S3 encodes them as forms do, Blob storage as XML, or percent-encoded where XML cannot."""
    s3 = (
        b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url'
        b"</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>t+/=</NextContinu"
        b"ationToken><Contents><Key>a+b%2Bc%26%3Cd%3E</Key><ETag>&quot;e1&quot;</ETag><Size>3"
        b"</Size></Contents></ListBucketResult>"
    )
    blob = (
        b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs><Blob><Name>'
        b"a b+c&amp;&lt;d&gt;</Name><Properties><Etag>e1</Etag><Content-Length>3</Content-Length>"
        b'</Properties></Blob><Blob><Name Encoded="true">%EF%BF%BF</Name><Properties>'
        b"<Etag>e2</Etag><Content-Length>0</Content-Length></Properties></Blob></Blobs><NextMarker>t+/=</NextMark"
        b"er></EnumerationResults>"
    )
    for cloud, body in (("aws", s3), ("azure", blob)):
        listing = run(CLOUDS[cloud], LIST, Response(200, {}, body)).result.value
        assert listing is not None
        assert listing.objects[0] == FoundObject("a b+c&<d>", 3, CLOUDS[cloud].revision)
        assert listing.cursor == "t+/="
        (request,) = run(CLOUDS[cloud], LIST._replace(cursor="t+/="), Response(200, {}, body)).sent
        assert "t%2B%2F%3D" in request.target


def test_an_upload_cannot_hold_its_own_boundary() -> None:
    """Bytes that look like the end of a part stay bytes."""
    body = b"--leeward-write-1--\r\n--leeward-write-1x"
    put = PUT._replace(body=body)
    (request,) = run(CLOUDS["google"], put, Response(200, {}, b'{"generation":"7"}')).sent
    boundary = dict(request.headers)["Content-Type"].partition("boundary=")[2].encode()
    assert request.body.count(boundary) == 3
    assert body in request.body


def _is_clean(request: Request) -> bool:
    return all(value.isprintable() for _, value in request.headers)


@each_row("name", ["a/b c+d&e=f?g#h%2F", "\u00fc/\u540d\U0001f9ca", "'\"<>~"])
@each_cloud
def test_a_name_stays_one_name(cloud: Cloud, name: str) -> None:
    """Nothing of it ends the path; the requests of all calls can go over the wire."""
    for call in (PUT, GET, HEAD, DELETE):
        answer = cloud.refused(404, cloud.words[2])
        (request,) = run(cloud, call._replace(name=name), answer).sent
        path = request.target.partition("?")[0]
        assert path.isascii()
        assert set(" \"'<>#&=+") & set(path.replace("%", "")) <= set("'")
        assert _is_clean(request)
