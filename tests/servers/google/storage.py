"""Cloud Storage, as far as leeward needs it: the JSON API of objects, strict in what it takes.

It is a stub of ours: the emulators on the registries answer preconditions otherwise than the
service. An unknown parameter or field is refused, so that a wrong one fails here.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from email.message import Message
from hashlib import md5
from itertools import count
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from tests.servers.answering import Answer
from tests.servers.google.api import Asked, GoogleApi, Route
from tests.servers.google.tokens import CLOUD_PLATFORM

JSON: Final = ("Content-Type", "application/json; charset=UTF-8")
PAGE: Final = 1000

_FIELDS: Final = {"name", "md5Hash", "metadata", "contentType"}
_PARAMETERS: Final = {
    "insert": {"uploadType", "fields", "ifGenerationMatch"},
    "get": {"alt", "fields", "ifGenerationMatch"},
    "list": {"fields", "maxResults", "pageToken", "prefix"},
    "delete": set[str](),
}


class _Kept(NamedTuple):
    body: bytes
    generation: int
    metadata: dict[str, str]

    @property
    def md5(self) -> str:
        return b64encode(md5(self.body, usedforsecurity=False).digest()).decode()


class _No(Exception):
    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


class Storage(GoogleApi):
    """Buckets of objects; each write has a generation that no other has."""

    SERVICE = "storage.googleapis.com"
    SCOPES = frozenset({CLOUD_PLATFORM, "https://www.googleapis.com/auth/devstorage.read_write"})
    BODY_BYTES = 64 * 1024 * 1024

    def __init__(self, project: str, *buckets: str) -> None:
        super().__init__(project)
        self.buckets: dict[str, dict[str, _Kept]] = {each: {} for each in buckets}
        self._generations = count(1_700_000_000_000_000)
        self._ids = count(1)

    def _routes(self) -> Sequence[Route]:
        one = "/storage/v1/b/(?P<bucket>[^/]+)/o/(?P<object>[^/]+)"
        return (
            Route("POST", "/upload/storage/v1/b/(?P<bucket>[^/]+)/o", self._told(self._insert)),
            Route("GET", one, self._told(self._get)),
            Route("DELETE", one, self._told(self._delete)),
            Route("GET", "/storage/v1/b/(?P<bucket>[^/]+)/o", self._told(self._list)),
        )

    def _told(self, method: Any) -> Any:
        """Answer as `method` does, with the service's id of the request, and tell its refusals."""

        def answer(asked: Asked) -> Answer:
            mark = ("X-GUploader-UploadID", f"upload-{next(self._ids)}")
            try:
                with self._changed:
                    found: Answer = method(asked, dict(asked.query))
            except _No as no:
                found = _refusal(no, media=("alt", "media") in asked.query)
            return found._replace(headers=(*found.headers, mark))

        return answer

    def _insert(self, asked: Asked, query: dict[str, str]) -> Answer:
        _check(query, "insert")
        if query.get("uploadType") != "multipart":
            raise _No(400, "invalid", "only multipart uploads are served here")
        bucket = self._bucket(asked)
        document, body = _parts(asked)
        if set(document) - _FIELDS:
            raise _No(400, "invalid", "unknown field")
        kept = _Kept(body, next(self._generations), document.get("metadata", {}))
        if document.get("md5Hash", kept.md5) != kept.md5:
            raise _No(400, "invalid", "Provided MD5 hash does not match calculated MD5 hash.")
        _precondition(query, bucket.get(document["name"]))
        bucket[document["name"]] = kept
        return _json({"generation": str(kept.generation)})

    def _get(self, asked: Asked, query: dict[str, str]) -> Answer:
        _check(query, "get")
        kept = self._object(asked)
        _precondition(query, kept)
        if query.get("alt") == "media":
            return _media(kept, asked)
        return _json(
            {
                "name": asked.names["object"],
                "size": str(len(kept.body)),
                "generation": str(kept.generation),
                "md5Hash": kept.md5,
                "metadata": kept.metadata,
            }
        )

    def _delete(self, asked: Asked, query: dict[str, str]) -> Answer:
        _check(query, "delete")
        self._object(asked)
        del self._bucket(asked)[asked.names["object"]]
        return Answer(204)

    def _list(self, asked: Asked, query: dict[str, str]) -> Answer:
        _check(query, "list")
        bucket, after = self._bucket(asked), query.get("pageToken", "")
        most = min(int(query.get("maxResults", PAGE)), PAGE)
        names = sorted(
            each for each in bucket if each.startswith(query.get("prefix", "")) and each > after
        )
        page = names[:most]
        items = [
            {
                "name": each,
                "size": str(len(bucket[each].body)),
                "generation": str(bucket[each].generation),
            }
            for each in page
        ]
        document: dict[str, Any] = {"items": items} if items else {}
        if len(names) > most:
            document["nextPageToken"] = page[-1]
        return _json(document)

    def _bucket(self, asked: Asked) -> dict[str, _Kept]:
        found = self.buckets.get(asked.names["bucket"])
        if found is None:
            raise _No(404, "notFound", "The specified bucket does not exist.")
        return found

    def _object(self, asked: Asked) -> _Kept:
        name = asked.names["object"]
        found = self._bucket(asked).get(name)
        if found is None:
            where = f"{asked.names['bucket']}/{quote(name)}"
            raise _No(404, "notFound", f"No such object: {where}")
        return found


def _check(query: dict[str, str], method: str) -> None:
    if unknown := set(query) - _PARAMETERS[method]:
        raise _No(400, "invalidParameter", f"unknown parameters {unknown}")


def _precondition(query: dict[str, str], kept: _Kept | None) -> None:
    wanted = query.get("ifGenerationMatch")
    if wanted is not None and int(wanted) != (kept.generation if kept else 0):
        message = "At least one of the pre-conditions you specified did not hold."
        raise _No(412, "conditionNotMet", message)


def _parts(asked: Asked) -> tuple[dict[str, Any], bytes]:
    """Take a multipart body apart: the document, and the bytes as they are."""
    kind = Message()
    kind["Content-Type"] = asked.headers.get("content-type", "")
    boundary = kind.get_param("boundary")
    if kind.get_content_type() != "multipart/related" or not boundary:
        raise _No(400, "badRequest", "Malformed multipart body.")
    mark = f"--{boundary}".encode()
    pieces = asked.body.split(mark)
    if len(pieces) != 4 or pieces[0] or pieces[3] != b"--\r\n":
        raise _No(400, "badRequest", "Malformed multipart body.")
    document, body = (each.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for each in pieces[1:3])
    return json.loads(document), body


def _media(kept: _Kept, asked: Asked) -> Answer:
    headers = (
        ("Content-Type", "application/octet-stream"),
        ("X-Goog-Generation", str(kept.generation)),
        ("X-Goog-Hash", "crc32c=AAAAAA=="),
        ("X-Goog-Hash", f"md5={kept.md5}"),
    )
    found = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("range", ""))
    if found is None:
        return Answer(200, headers, kept.body)
    first, last = int(found[1]), min(int(found[2]), len(kept.body) - 1)
    if first > last:
        raise _No(416, "requestedRangeNotSatisfiable", "The requested range cannot be satisfied.")
    told = ("Content-Range", f"bytes {first}-{last}/{len(kept.body)}")
    return Answer(206, (*headers, told), kept.body[first : last + 1])


def _json(document: Any) -> Answer:
    return Answer(200, (JSON,), json.dumps(document).encode())


def _refusal(no: _No, *, media: bool) -> Answer:
    """Refuse: a download with a text, everything else with a document."""
    if media:
        return Answer(no.status, (("Content-Type", "text/html; charset=UTF-8"),), str(no).encode())
    each = {"message": str(no), "domain": "global", "reason": no.reason}
    error = {"code": no.status, "message": str(no), "errors": [each]}
    return Answer(no.status, (JSON,), json.dumps({"error": error}).encode())
