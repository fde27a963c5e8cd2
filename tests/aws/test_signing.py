from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leeward._http.messages import Request
from leeward.adapter.service import ahead_of
from leeward.text import percent_encode
from leeward_aws.identity import signing
from leeward_aws.identity.credentials import Credentials
from leeward_aws.identity.signing import Scope, sign
from leeward_contract_tests.rows import each_row
from tests.aws import oracle

EXAMPLE_KEY = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
EXAMPLE_TIME = datetime(2015, 8, 30, 12, 36, tzinfo=UTC).timestamp()
ARN_PATH = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Af/x"


def header(request: Request, name: str) -> str:
    (value,) = (each for key, each in request.headers if key.lower() == name.lower())
    return value


def signature_of(request: Request) -> str:
    return header(request, "Authorization").rpartition("Signature=")[2]


# What a URL cannot hold unescaped, because it would end the path or is dropped by a URL parser.
_IN_PATH = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="?#\\")
_PIECES = st.sampled_from(["/", "//", "/./", "/../", "..", ".", "%3A", "%2F", "%25", "~", "+", " "])
_PATHS = st.lists(_PIECES | st.text(_IN_PATH, max_size=6), max_size=8).map(
    lambda pieces: "/" + "".join(pieces)
)
_IN_QUERY = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="#")
_QUERIES = st.none() | st.lists(
    st.sampled_from(["a=1", "a=", "a", "A=2", "=", "", "a-b=%20", "a=%2B", "b=1=2"])
    | st.text(_IN_QUERY, max_size=6),
    max_size=5,
).map("&".join)
_NAMES = st.sampled_from(
    "Content-Type X-Amz-Target x-amz-target X-Amz-Client-Context User-Agent traceparent "
    "X-Amzn-Trace-Id Connection X-Odd x-odd X-Odd-2 Accept Authorization X-Amz-Date".split()
)
_VALUES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=12
) | st.sampled_from(["  two   spaces  ", "", "\ttab\t", "a,b", '"quoted  text"'])
_HOSTS = st.sampled_from(
    [
        "https://lambda.eu-west-1.amazonaws.com",
        "http://127.0.0.1:4566",
        "https://[::1]:8443",
        "https://dynamodb.test:443",
        "http://dynamodb.test:80",
        "https://dynamodb.test:80",
    ]
)


@st.composite
def _requests(draw: st.DrawFn) -> Request:
    query = draw(_QUERIES)
    return Request(
        draw(st.sampled_from(["GET", "POST", "DELETE"])),
        draw(_HOSTS),
        draw(_PATHS) + ("" if query is None else f"?{query}"),
        tuple(draw(st.lists(st.tuples(_NAMES, _VALUES), max_size=6))),
        draw(st.binary(max_size=64)),
    )


_KEYS = st.builds(
    Credentials,
    st.text("ABCDEFGHIJ0123456789", min_size=4, max_size=20),
    st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=40),
    st.none() | st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=60),
)
_SCOPES = st.builds(
    Scope,
    st.sampled_from(["lambda", "events", "dynamodb", "sts"]),
    st.sampled_from(["us-east-1", "eu-west-1", "cn-north-1"]),
)


@given(_requests(), _KEYS, _SCOPES, st.floats(0, 4e9))
@example(
    Request("POST", "https://lambda.test", ARN_PATH),
    EXAMPLE_KEY,
    Scope("lambda", "us-east-1"),
    1e9,
)
def test_signatures_equal_those_of_botocore(
    request: Request, credentials: Credentials, scope: Scope, now: float
) -> None:
    """Odd paths, queries, headers, bodies and tokens are signed as botocore signs them."""
    ours = sign(request, credentials, scope, now)
    theirs = oracle.signed_headers(request, credentials, scope, now)
    assert header(ours, "Authorization") == theirs["Authorization"]
    assert header(ours, "X-Amz-Date") == theirs["X-Amz-Date"]
    assert (ours.method, ours.origin, ours.target, ours.body) == (
        request.method,
        request.origin,
        request.target,
        request.body,
    )


@given(st.text(_IN_PATH, min_size=1, max_size=30), st.binary(max_size=20), _KEYS)
@example("a/./../b//c+d e~%2F", b"", EXAMPLE_KEY)
def test_requests_to_s3_are_signed_as_botocore_signs_them(
    name: str, body: bytes, credentials: Credentials
) -> None:
    """Their paths stand as they are, and the hash of the body is a header."""
    headers = (("X-Amz-Content-Sha256", sha256(body).hexdigest()), ("If-None-Match", "*"))
    target = f"/reports/{percent_encode(name, '-._~/')}?list-type=2&prefix=a%2Fb"
    request = Request("PUT", "https://s3.eu-west-1.amazonaws.com", target, headers, body)
    scope = Scope("s3", "eu-west-1")
    theirs = oracle.signed_headers(request, credentials, scope, EXAMPLE_TIME)
    assert (
        header(sign(request, credentials, scope, EXAMPLE_TIME), "Authorization")
        == (theirs["Authorization"])
    )


def test_the_worked_example_of_the_documentation() -> None:
    """ListUsers of IAM, as the AWS General Reference works it out, step by step."""
    request = Request(
        "GET",
        "https://iam.amazonaws.com",
        "/?Action=ListUsers&Version=2010-05-08",
        (("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),),
    )
    ours = sign(request, EXAMPLE_KEY, Scope("iam", "us-east-1"), EXAMPLE_TIME)
    assert header(ours, "X-Amz-Date") == "20150830T123600Z"
    assert header(ours, "Authorization") == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


@pytest.mark.parametrize(
    ("method", "target", "signature"),
    [
        ("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ("GET", "/ሴ", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
    ],
)
def test_the_published_test_suite(method: str, target: str, signature: str) -> None:
    """Cases of the test suite that AWS publishes for Signature Version 4."""
    request = Request(method, "https://example.amazonaws.com", target)
    ours = sign(request, EXAMPLE_KEY, Scope("service", "us-east-1"), EXAMPLE_TIME)
    assert signature_of(ours) == signature


def test_a_token_goes_out_and_is_signed() -> None:
    """Temporary credentials send their token in a header that the signature covers."""
    credentials = EXAMPLE_KEY._replace(token="session-token")
    ours = sign(Request("GET", "https://a.test", "/"), credentials, Scope("sts", "x"), 1e9)
    assert header(ours, "X-Amz-Security-Token") == "session-token"
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token," in header(ours, "Authorization")


def test_each_day_region_service_and_secret_has_its_own_key() -> None:
    """The cache of signing keys never gives the key of another scope, day or secret."""
    request = Request("GET", "https://a.test", "/")
    other = EXAMPLE_KEY._replace(secret_key="another")
    cases = [
        (EXAMPLE_KEY, Scope("lambda", "us-east-1"), 1e9),
        (EXAMPLE_KEY, Scope("events", "us-east-1"), 1e9),
        (EXAMPLE_KEY, Scope("lambda", "us-west-2"), 1e9),
        (EXAMPLE_KEY, Scope("lambda", "us-east-1"), 1e9 + 86400),
        (other, Scope("lambda", "us-east-1"), 1e9),
    ]
    for credentials, scope, now in cases * 2:
        theirs = oracle.signed_headers(request, credentials, scope, now)
        assert (
            header(sign(request, credentials, scope, now), "Authorization")
            == (theirs["Authorization"])
        )


@pytest.mark.parametrize(
    "cache", [signing._signing_key, signing._canonical_path, signing._host, signing._stamp]
)
def test_caches_are_bounded(cache: Any) -> None:
    """What is remembered between requests cannot grow for ever."""
    assert cache.cache_info().maxsize is not None


@each_row("seconds", [-86400.0, -301.0, 0.0, 1.5, 7200.0])
def test_skew_is_what_brings_the_clock_right(seconds: float) -> None:
    """This machine's time plus the skew is the time that the answer told."""
    date = "Sun, 30 Aug 2015 12:36:00 GMT"
    assert ahead_of(date, EXAMPLE_TIME - seconds) == seconds


@given(
    st.sampled_from(
        [
            "",
            "Sun, 31 Feb 2015 12:36:00 GMT",
            "Sun, 30 Aug 0000 12:36:00 GMT",
            "Sun, 30 Foo 2015 12:36:00 GMT",
            "Sun, 30 Aug 2015 25:36:00 GMT",
            "Sun, 30 Aug 2015 12:36:00",
            "Sun, 30 Aug 2015 12:36:00 GMT\n",
            "2015-08-30T12:36:00Z",
        ]
    )
    | st.text(max_size=40)
)
def test_what_is_no_date_tells_no_skew(text: str) -> None:
    """A missing or broken `Date` leaves the clock as it is."""
    assert ahead_of(text, EXAMPLE_TIME) is None
