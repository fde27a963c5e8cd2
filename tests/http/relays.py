"""Answers of functions that pass on, echo or log what somebody else has said.

python -m tests.http.relays [--cases N] [--seed N]

A function without leeward's handler has had its effect, and then puts a platform's own answer, or
one of leeward's handler, into its own: as JSON, as text, as a page, in headers that a function may
set, with any status. Nothing in it may prove that the function did not run; no such call is sent
again, no value is changed. Exit status 1 if one is.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from random import Random
from typing import Any, Final, NamedTuple

from leeward._http.messages import Response
from leeward.adapter._plan_run import Learnt, PlanRun
from leeward.adapter.http_functions import Address
from leeward.adapter.plans import Need, Planner, Send
from leeward.adapter.resolver import FunctionAddress
from leeward.calls import Invoke, Result
from leeward.envelope import BY_HANDLER, mark_of
from leeward.errors import Outcome
from leeward_aws.functions.plans import functions as aws_functions
from leeward_azure.functions.plans import functions as azure_functions
from leeward_azure.settings.services import Functions as AzureFunctions
from leeward_google.functions.plans import functions as google_functions
from leeward_google.settings.services import Functions as GoogleFunctions
from leeward_http.functions import functions as url_functions
from leeward_http.settings import Location
from leeward_http.settings import Settings as UrlSettings
from tests.aws.playing import FRESH, KEYS, SETTINGS
from tests.http.gateways import REFUSALS
from tests.playing import NOW

HTML: Final = {"content-type": "text/html; charset=utf-8"}
TEXT: Final = {"content-type": "text/plain"}
JSON: Final = {"content-type": "application/json"}

DID_NOT_RUN: Final = frozenset(Outcome) - {Outcome.OK, Outcome.AMBIGUOUS, Outcome.APP_ERROR}
"""Outcomes that say so; the last two leave it open, or say that it ran."""


class Specimen(NamedTuple):
    """An answer of a platform's own.

    Attributes:
        statuses: with which it comes.
        headers: that it has.
        body: of it.
    """

    statuses: Sequence[int]
    headers: dict[str, str]
    body: bytes = b""

    def response(self, status: int) -> Response:
        """Return the answer itself."""
        return Response(status, dict(self.headers), self.body)


def _page(title: str, text: str = "") -> bytes:
    return (
        f"<!DOCTYPE html>\n<html><head>\n<title>{title}</title></head>"
        f"<body><h1>Error: {title}</h1>\n<h2>{text}</h2></body></html>\n"
    ).encode()


NO_INSTANCE: Final = "The request was aborted because there was no available instance."

AZURE: Final = (
    Specimen((401,), {**HTML, "www-authenticate": 'Bearer realm="shop"'}, _page("401")),
    Specimen((403,), HTML, _page("Web App", "Error 403 - This web app is stopped.")),
    Specimen((403,), HTML, _page("Ip Forbidden")),
    Specimen((404,), HTML, _page("404 Web Site not found.")),
    Specimen((503,), TEXT, b"Function host is not running."),
    Specimen((503,), HTML, _page("Host Offline")),
    Specimen((503,), HTML, b"<!-- Created by kudu --><html></html>"),
    Specimen((500, 400, 401, 403, 404, 405, 411, 413, 414, 415, 429, 431), {}),
)
GOOGLE: Final = (
    Specimen((401,), {**HTML, "www-authenticate": "Bearer"}, _page("401")),
    Specimen((401,), HTML, _page("401 Unauthorized")),
    Specimen((403,), HTML, _page("403 Forbidden")),
    Specimen((404,), HTML, _page("404 Page not found")),
    Specimen((404,), HTML, _page("Error 404 (Not Found)!!1")),
    Specimen((413,), HTML, _page("413 Request Entity Too Large")),
    Specimen((429, 500, 503), TEXT, NO_INSTANCE.encode()),
    Specimen((429, 500, 503), HTML, _page("500 Server Error", NO_INSTANCE)),
    Specimen((429, 500, 503), TEXT, b"Rate exceeded."),
    Specimen((500,), {**HTML, "x-google-status": "crash"}, _page("500")),
)

GATEWAYS: Final = (
    Specimen((502, 503, 504), {**HTML, "server": "nginx"}, _page("502 Bad Gateway")),
    Specimen((429, 503), {**HTML, "server": "nginx"}, _page("503 Service Temporarily Unavailable")),
    Specimen((429,), {**TEXT, "retry-after": "1"}, b"Too Many Requests"),
    Specimen((503,), {**TEXT, "server": "envoy"}, b"no healthy upstream"),
    Specimen((503,), {**TEXT, "server": "envoy"}, b"upstream connect error or disconnect/reset"),
    Specimen((502, 503), {"server": "Caddy"}),
    Specimen((429, 403), JSON, b'{"message":"Limit Exceeded"}'),
    Specimen((404, 503), TEXT, b"default backend - 404"),
    Specimen((401, 403), {"www-authenticate": 'Bearer error="invalid_token"'}),
)
"""What proxies, meshes and API gateways answer in place of a service."""


class Platform(NamedTuple):
    """How functions are called on one platform.

    Attributes:
        planner: of ``invoke``.
        given: returns what a plan needs, another one each time: how often it was given, too.
        specimens: of the platform's own answers.
    """

    planner: Planner
    given: Callable[[Any, int], Any]
    specimens: tuple[Specimen, ...]


def _address(what: Any, number: int) -> Any:
    assert isinstance(what, FunctionAddress)
    return Address("https://shop.example", "/charge", f"t-{number}", looked_up=True, key="a-key")


PLATFORMS: Final = {
    "azure": Platform(
        azure_functions(AzureFunctions("https://shop.azurewebsites.net"))["invoke"],
        _address,
        AZURE,
    ),
    "google": Platform(google_functions(GoogleFunctions())["invoke"], _address, GOOGLE),
}
URL: Final = Platform(
    url_functions(
        UrlSettings(
            functions={"charge": Location(Address("https://shop.example", "/charge", "t-0"))}
        )
    )["invoke"],
    _address,
    AZURE
    + GOOGLE
    + GATEWAYS
    + tuple(Specimen((each.status,), each.headers, each.body) for each in REFUSALS[::9]),
)
"""Functions by URL, behind whatever anybody has put in front of them."""
LAMBDA: Final = Platform(
    aws_functions(SETTINGS)["invoke"], lambda _, number: FRESH if number else KEYS, ()
)


class Ended(NamedTuple):
    """How a call ended, and how often it was sent."""

    result: Result[Any]
    sent: int


def call(platform: Platform, response: Response, learnt: Learnt, invoke: Invoke) -> Ended:
    """Call a function that answers with `response`, whenever it is called."""
    run = PlanRun(platform.planner, invoke, learnt, NOW, 10.0)
    step, sent, given = run.start(), 0, 0
    while not isinstance(step, Result):
        answer: Any = None
        if isinstance(step, Send):
            sent, answer = sent + 1, response
        elif isinstance(step, Need):
            given, answer = given + 1, platform.given(step.what, given)
        step = run.advance(answer, NOW, 10.0)
    return Ended(step, sent)


def fault_of(platform: Platform, response: Response, ended: Ended) -> str | None:
    """Return what is wrong with how a call of a function that does not mark ended; None if nothing.

    The function has run.
    """
    result = ended.result
    if result.outcome in DID_NOT_RUN:
        return f"is told that it did not run: {result.outcome.value}"
    if ended.sent != 1:
        return f"is sent {ended.sent} times"
    if result.reason in ("running", "unknown", "not_kept") or result.dedup is not None:
        return "is taken for an answer of leeward's handler"
    fault = result.fault
    if fault is not None and (fault.reason, fault.ran or "maybe", fault.retryable) != _NOTHING:
        return "is believed about whether it ran"
    if result.outcome is Outcome.OK and response.body:
        return None if result.value == json.loads(response.body) else "has another value"
    return None


_NOTHING: Final = (None, "maybe", None)


# The answers.


def relays(random: Random, specimen: Specimen) -> Iterator[Response]:
    """Return answers over HTTP of a function that puts `specimen` into them, without end."""
    while True:
        status = random.choice(specimen.statuses)
        if random.random() < 0.4:
            status = random.randrange(200, 600)
        headers = {name: text for name, text in specimen.headers.items() if random.random() < 0.7}
        headers |= {name: random.choice(texts) for name, texts in _SET if random.random() < 0.25}
        yield Response(status, headers, _body(random, specimen.body))


_SET: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("content-type", ("application/json", "text/html", "text/plain", "text/html; charset=utf-8")),
    ("www-authenticate", ('Bearer realm="bank"', "Basic", "bearer")),
    ("x-google-status", ("crash",)),
    ("retry-after", ("1", "0")),
    ("server", ("Google Frontend", "Microsoft-IIS/10.0", "Kestrel")),
    ("x-leeward", ("1", "0123456789abcdef", "0123456789abcdef;handler", "")),
    ("x-leeward-dedup", ("group", "target", "none")),
    ("x-ms-request-id", ("r-1",)),
)
"""Headers that a function may set, those of another function's answer among them."""

_TOLD: Final = (
    {"errorType": "Problem", "reason": "no_function", "retryable": True, "ran": "no"},
    {"errorType": "RepeatRefused", "reason": "running", "retryable": True, "ran": "maybe"},
    {"errorType": "InvalidInput", "reason": "bad_input", "retryable": False, "ran": "no"},
    {"errorType": "HostRefusal", "reason": "busy", "retryable": True, "ran": "no"},
    {"errorType": "HostRefusal", "reason": "token", "retryable": False, "ran": "no"},
)
"""What leeward's handler tells of a failure."""


def _body(random: Random, body: bytes) -> bytes:
    text = body.decode()
    shape = random.randrange(9)
    if shape == 0:
        return json.dumps(_nested(random, text)).encode()
    if shape == 1:
        return json.dumps({**random.choice(_TOLD), "errorMessage": text}).encode()
    if shape == 2:
        return f"upstream said: {text}".encode()
    if shape == 3:
        return f"<html><body><pre>{text}</pre></body></html>".encode()
    if shape == 4:
        return f"\r\n  {text}\n".encode()
    if shape == 5:
        return random.choice((text.upper(), text.lower(), text.title())).encode()
    return body


def _nested(random: Random, value: Any) -> Any:
    for _ in range(random.randrange(3)):
        name = random.choice(("error", "message", "detail", "upstream", "value"))
        value = random.choice(({name: value}, [value], {name: value, "charged": True}))
    return value


def lambda_relays(random: Random) -> Iterator[Response]:
    """Return answers of a Lambda function that passes on others', without end."""
    while True:
        told = {**random.choice(_TOLD), "errorMessage": random.choice(("no", NO_INSTANCE))}
        mark = random.choice(("1", "0123456789abcdef", 1, None))
        dedup = random.choice(({}, {"x-leeward-dedup": "target"}, {"x-leeward-dedup": "group"}))
        inside = random.choice(
            (
                {"value": 1},
                {"refusal": told, "retry-after": 0.1},
                {"failure": told, "retry-after": None},
            )
        )
        document: dict[str, Any] = {"x-leeward": mark, **dedup, **inside}
        headers = {"x-amzn-requestid": "r-1"}
        if random.random() < 0.5:
            raised = random.choice(_RAISED)
            text = random.choice((json.dumps(document), NO_INSTANCE, "Task timed out after 3.00 s"))
            document = {"errorType": raised, "errorMessage": text, **random.choice((told, {}))}
            document |= {"errorType": raised, "errorMessage": text}
            headers["x-amz-function-error"] = random.choice(("Unhandled", "Handled"))
        elif random.random() < 0.3:
            document = _nested(random, document)
        yield Response(200, headers, json.dumps(document).encode())


_RAISED: Final = (
    *("Runtime.ImportModuleError", "Runtime.HandlerNotFound", "TooManyRequestsException"),
    *("Lambda.TooManyRequestsException", "ResourceNotFoundException", "Problem", "RepeatRefused"),
)
"""What a function may call its error; in Node, anything."""


def canaries(random: Random, specimen: Specimen) -> Iterator[tuple[Response, bool]]:
    """Return answers of a function of which some instances have leeward's handler, without end.

    True stands beside an answer of such an instance, which is well and marked. The others pass on
    what they are told, as a release does that has lost its marks, or one that was rolled back.
    """
    unmarked = relays(random, specimen)
    share = random.choice((0.1, 0.5, 0.9))
    while True:
        if random.random() < share:
            yield Response(200, JSON, b"1"), True
        else:
            yield next(unmarked), False


def tried(cases: int, seed: int) -> Counter[str]:
    """Try so many answers of each platform for each proof; return what was wrong, and how often.

    The function never marks an answer of its own; what it passes on may be marked. Half as many
    times, it marks each of its answers, and passes on what leeward's handler has told. As often,
    some of its instances have leeward's handler.
    """
    wrong: Counter[str] = Counter()
    for name, platform in {**PLATFORMS, "http": URL}.items():
        for number, specimen in enumerate(platform.specimens):
            made = relays(Random(f"{seed}/{name}/{number}"), specimen)
            wrong += _wrong(f"{name} {number}", platform, made, cases)
            wrong += _wrong(f"{name} {number}, marked", platform, made, cases // 2, marked=True)
            canary = canaries(Random(f"{seed}/{name}/{number}/canary"), specimen)
            wrong += _wrong_canaries(f"{name} {number}, canary", platform, canary, cases)
    for way in (False, True):
        made = lambda_relays(Random(f"{seed}/aws/{way}"))
        wrong += _wrong(f"aws, {way}", LAMBDA, made, cases, declared=way)
    return wrong


def _wrong_canaries(
    name: str, platform: Platform, answers: Iterator[tuple[Response, bool]], cases: int
) -> Counter[str]:
    """Call a function that nobody has declared to mark its answers, although some have a mark."""
    wrong: Counter[str] = Counter()
    learnt = Learnt()
    for number in range(cases):
        response, by_handler = next(answers)
        invoke = Invoke("charge", b"{}", f"key-{number}")
        if by_handler:
            mark = mark_of("charge", invoke.idempotency_key) + BY_HANDLER
            response = Response(200, {**response.headers, "x-leeward": mark}, response.body)
        ended = call(platform, response, learnt, invoke)
        fault = None if by_handler else fault_of(platform, response, ended)
        if fault is not None:
            wrong[f"{name}: {fault}"] += 1
    return wrong


def _wrong(
    name: str,
    platform: Platform,
    answers: Iterator[Response],
    cases: int,
    *,
    marked: bool = False,
    declared: bool = False,
) -> Counter[str]:
    """Call a function so often; it marks its answers, or is `declared` to do so, and does not."""
    wrong: Counter[str] = Counter()
    learnt = Learnt()
    for number in range(cases):
        response = next(answers)
        if marked:
            mark = {"x-leeward": mark_of("charge", f"key-{number}")}
            response = Response(response.status, {**response.headers, **mark}, response.body)
        invoke = Invoke("charge", b"{}", f"key-{number}", marks=declared)
        ended = call(platform, response, learnt, invoke)
        fault = fault_of(platform, response, ended)
        if fault is not None:
            wrong[f"{name}: {fault}"] += 1
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Try, print what was wrong, and return the exit status."""
    parser = ArgumentParser(prog="python -m tests.http.relays", description=__doc__)
    whole = partial(parser.add_argument, type=int)
    whole("--cases", default=10_000, help="answers for each proof (%(default)s)")
    whole("--seed", default=1, help="decides everything (%(default)s)")
    options = parser.parse_args(arguments)
    wrong = tried(options.cases, options.seed)
    proofs = sum(len(each.specimens) for each in (*PLATFORMS.values(), URL))
    kinds = 3 * proofs + 2  # plain, marked and canaries; and Lambda's
    print(f"{kinds} kinds of relays, {options.cases:,} answers of each: {wrong.total()} wrong")
    for told, count in sorted(wrong.items()):
        print(f"  {count:6,} {told}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
