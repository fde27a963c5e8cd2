"""A container of Cosmos DB: how it is asked, and what a client has seen of it.

What was seen is learnt under ``session:`` and the table's name. How a container must be made for a
table, and what a document looks like, stands in `documents`.

A session token says how far the partition range that gave it had come: ``0:1#100#3=50`` is range 0,
a version of its regions, a sequence number for all of them, and one for a region. A read that bears
what was seen before is answered from a replica that has come as far, or with 404/1002. A container
that is deleted and made again begins anew, so what was seen belongs to its resource id.

Sources: "Documents" and "Common request headers" in Cosmos DB's REST reference;
`VectorSessionToken` and `SessionContainer` in azure-cosmos. There, one parsing error ends the
session; here it costs that one token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any, Final, Literal

from leeward import json_text
from leeward.adapter.plans import Drop, Learn, Plan, View
from leeward.adapter.service import ServiceAnswer, ServiceExchange, by_headers, object_of
from leeward.adapter.wire import Request, Response
from leeward.calls import Result, Store
from leeward.errors import InvalidRequest, Outcome
from leeward.json_text import Undecodable
from leeward.records import NamedTuple
from leeward.text import is_printable, percent_encode
from leeward.values import NOTHING
from leeward_azure.errors import ABSENT, LAGGING, REGION_MOVED, judge_cosmos
from leeward_azure.identity.credentials import ServiceCredential
from leeward_azure.identity.signing import Headers, Signed, cosmos_headers
from leeward_azure.service import service_of
from leeward_azure.tables.documents import Location, document_of, location_of

LONGEST: Final = 8192
"""Bytes of all tokens in one header, the latest; gateways take 16 KB of headers. A token has some
30 bytes, and a container a range for each 50 GB or 10,000 request units a second."""

_OWNER: Final = re.compile(r"[A-Za-z0-9+/_-]{11}=")
"""A container's resource id: 8 bytes. That of a database is shorter, of a document longer."""
_PAIR: Final = re.compile(r"([0-9A-Za-z_-]{1,64}):([0-9#=-]{1,512})")
_TOKEN: Final = re.compile(r"(-?[0-9]{1,18})#(-?[0-9]{1,18})((?:#[0-9]{1,9}=-?[0-9]{1,18})*)")
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")


class Session(NamedTuple):
    """What a client has seen of one container.

    Attributes:
        owner: the container's resource id; None while no answer has told it.
        tokens: partition range to token; never changed in location.
    """

    owner: str | None = None
    tokens: Mapping[str, str] = NOTHING

    def join(self) -> str:
        """Return the tokens as one header's value; empty if there are none."""
        text = ",".join([f"{part}:{token}" for part, token in self.tokens.items()])
        return text if len(text) <= LONGEST else text[-LONGEST:].partition(",")[2]

    def after(self, response: Response) -> Session:
        """Return the session with what an answer tells; this very one if that is nothing new."""
        headers = response.headers
        path = headers.get("x-ms-content-path", "")
        owner = path if _OWNER.fullmatch(path) else self.owner
        pairs = _PAIR.findall(headers.get("x-ms-session-token", ""))
        before = self.tokens if self.owner in (None, owner) else NOTHING
        latest = {part: _later_token(before.get(part), token) for part, token in pairs}
        if owner == self.owner and all(before.get(part) == latest[part] for part in latest):
            return self
        kept = {part: token for part, token in before.items() if part not in latest}
        return Session(owner, kept | latest)


EMPTY: Final = Session()


def _later_token(one: str | None, other: str) -> str:
    """Merge two tokens of a range; an unreadable one gives way."""
    if one is None or one == other:
        return other
    if _NUMBER.fullmatch(one) and _NUMBER.fullmatch(other):
        return max(one, other, key=int)
    first, second = _parse(one), _parse(other)
    if first is None or second is None:
        return other if second or not first else one
    low, high = sorted((first, second), key=lambda token: (token.version, token.number))
    regions = {region: max(n, low.regions.get(region, n)) for region, n in high.regions.items()}
    if low.version == high.version:
        regions = {**low.regions, **regions}
    in_order = (f"{region}={regions[region]}" for region in sorted(regions, key=int))
    return "#".join([str(high.version), str(high.number), *in_order])


class _Token(NamedTuple):
    """One token, parted.

    A higher version is a change of the account's regions, after which the numbers may be lower.
    """

    version: int
    number: int
    regions: dict[str, int]


def _parse(text: str) -> _Token | None:
    match = _TOKEN.fullmatch(text)
    if match is None:
        return None
    pairs = (part.split("=") for part in match[3].split("#")[1:])
    return _Token(int(match[1]), int(match[2]), {name: int(number) for name, number in pairs})


COSMOS: Final = service_of(
    ServiceCredential("cosmos"), judge_cosmos, "x-ms-activity-id", dated=True
)

API_VERSION: Final = "2020-07-15"
"""What azure-cosmos asks for."""

PAGE_ITEMS: Final = 100
"""Items of a page, at most; Cosmos DB ends a page at 4 MB too."""

_COMMON: Final = (("x-ms-version", API_VERSION), ("Accept", "application/json"))
_READ: Final = (*_COMMON, ("Cache-Control", "no-cache"))
_WRITE: Final = (*_COMMON, ("Content-Type", "application/json"), ("Prefer", "return=minimal"))
"""A document that was written is not sent back."""
_QUERY: Final = (("Content-Type", "application/query+json"), ("x-ms-documentdb-isquery", "True"))
_UPSERT: Final = ("x-ms-documentdb-is-upsert", "true")

_NOT_IN_NAMES: Final = frozenset("/\\?#")

_MADE_ANEW: Final = frozenset({"404/1003", "410/1000"})
"""Codes by which a container is not there, or not the one that its name led to before."""


class Container(NamedTuple):
    """The container of one table.

    Attributes:
        origin: of its account.
        link: as it is signed.
        documents: the path of its documents, as it is sent.
        session: the name under which its session is learnt.
        expired: the name under which it is learnt that expired items are in the way.
    """

    origin: str
    link: str
    documents: str
    session: str
    expired: str


class DocumentRequest(NamedTuple):
    """A request, and the document that it is about; None where it is about the container."""

    request: Request
    location: Location | None = None


@lru_cache(maxsize=256)
def container_of(origin: str, database: str, table: str) -> Container:
    """Return the container of `table`.

    Raises:
        InvalidRequest: no container can have that name.
    """
    if (
        not is_printable(table)
        or _NOT_IN_NAMES & set(table)
        or table.endswith(" ")
        or not table.strip(".")
    ):
        raise InvalidRequest(
            f"table {table!r} cannot be the name of a container: it may not be empty, hold "
            "/ \\ ? #, end with a blank or consist of dots",
            field="table",
        )
    return Container(
        origin,
        link=f"dbs/{database}/colls/{table}",
        documents=f"/dbs/{percent_encode(database)}/colls/{percent_encode(table)}/docs",
        session=f"session:{table}",
        expired=f"expired:{table}",
    )


def to_read(container: Container, location: Location, view: View) -> DocumentRequest:
    """Ask for the document at `location`, as new as what was seen before."""
    headers = (*_READ, _partition(location), *_session_header(container, view))
    return _request_for(container, location, "GET", headers)


def to_delete(container: Container, location: Location, etag: str | None) -> DocumentRequest:
    """Ask to delete the document at `location`; with an etag, only in that state."""
    headers = (*_COMMON, _partition(location), *_if_match(etag))
    return _request_for(container, location, "DELETE", headers)


def to_replace(container: Container, call: Store, etag: str) -> DocumentRequest:
    """Ask to replace the document of `call`, in that state only."""
    location = location_of(call.key)
    headers = (*_WRITE, _partition(location), *_if_match(etag))
    return _request_for(container, location, "PUT", headers, json_text.encode(document_of(call)))


def to_create(container: Container, call: Store, *, upsert: bool) -> DocumentRequest:
    """Ask to write the document of `call`; where one is, that is a conflict, or an upsert."""
    headers: Headers = (*_WRITE, _partition(location_of(call.key)))
    if upsert:
        headers = (*headers, _UPSERT)
    body = json_text.encode(document_of(call))
    return DocumentRequest(Request("POST", container.origin, container.documents, headers, body))


def to_page(
    container: Container, continuation: str | None, limit: int | None, view: View
) -> DocumentRequest:
    """Ask for some of the documents, at most so many."""
    count = ("x-ms-max-item-count", str(limit or PAGE_ITEMS))
    headers: Headers = (*_READ, count, *_session_header(container, view))
    if continuation is not None:
        headers = (*headers, ("x-ms-continuation", continuation))
    return DocumentRequest(Request("GET", container.origin, container.documents, headers))


def to_query(page: DocumentRequest, partition: str, query: Mapping[str, Any]) -> DocumentRequest:
    """Ask for what a query gives of one partition, and otherwise as for a page of all documents."""
    key = ("x-ms-documentdb-partitionkey", json.dumps([partition]))
    headers = (*page.request.headers, *_QUERY, key)
    body = json_text.encode(query)
    return DocumentRequest(page.request._replace(method="POST", headers=headers, body=body))


def ask_container(
    container: Container, about: DocumentRequest, view: View, *, effect: bool = True
) -> ServiceExchange:
    """Ask, and keep what the answer tells of the session. As `leeward.adapter.service`.

    Connections to a region that takes no writes any more are given up.
    """
    request, location = about
    link = container.link if location is None else f"{container.link}/docs/{location.id}"
    proof = by_headers(partial(cosmos_headers, Signed(request.method, "docs", link)))
    answer = yield from COSMOS.exchange(request, view, authorize=proof, effect=effect)
    seen: Session = view.learnt.get(container.session, EMPTY)
    refusal = answer.refusal
    if refusal is not None and refusal.code in _MADE_ANEW:
        yield Learn(container.session, seen, _session_but)
    elif _tells_of_session(refusal) and seen.after(answer.response) is not seen:
        yield Learn(
            container.session,
            answer.response,
            lambda session, response: (session or EMPTY).after(response),
        )
    if refusal is not None and refusal.reason == REGION_MOVED:
        yield Drop(container.origin)
    if refusal is not None and refusal.reason == ABSENT and location is None:
        return ServiceAnswer(
            answer.response, refusal._replace(reason=None)
        )  # so it is the container
    return answer


def unless_made_anew(container: Container, refusal: Result[Any], view: View) -> Plan:
    """End a read with `refusal`; if no replica has come far enough, look whether one ever will.

    A container that was made anew counts from the beginning, and would lag behind for ever.
    """
    session: Session = view.learnt.get(container.session, EMPTY)
    if refusal.reason != LAGGING or not session.tokens:
        return refusal
    request = Request("GET", container.origin, container.documents.removesuffix("/docs"), _READ)
    proof = by_headers(partial(cosmos_headers, Signed("GET", "colls", container.link)))
    response, trouble = yield from COSMOS.exchange(request, view, authorize=proof, effect=False)
    try:
        owner = None if trouble else object_of(response).get("_rid")
    except Undecodable:
        owner = None
    if isinstance(owner, str) and owner != session.owner:
        yield Learn(container.session, session, _session_but)
    return refusal


def _request_for(
    container: Container,
    location: Location,
    method: Literal["GET", "PUT", "DELETE"],
    headers: Headers,
    body: bytes = b"",
) -> DocumentRequest:
    target = f"{container.documents}/{location.id}"  # nothing of an id needs encoding
    return DocumentRequest(Request(method, container.origin, target, headers, body), location)


def _partition(location: Location) -> tuple[str, str]:
    return ("x-ms-documentdb-partitionkey", location.header())


def _if_match(etag: str | None) -> Headers:
    return () if etag is None else (("If-Match", etag),)


def _session_header(container: Container, view: View) -> Headers:
    session: Session = view.learnt.get(container.session, EMPTY)
    joined = session.join()
    return (("x-ms-session-token", joined),) if joined else ()


def _tells_of_session(refusal: Result[Any] | None) -> bool:
    """Return whether an answer comes from a replica that does not lag behind."""
    return refusal is None or refusal.outcome is Outcome.CONFLICT or refusal.reason == ABSENT


def _session_but(session: Session | None, gone: Session) -> Session | None:
    """Return the session unless it is of the container of `gone`, which is there no more."""
    return None if session is None or session.owner == gone.owner else session
