"""Ask `leeward.ran` about failures that a real server made; exit with 1 at a wrong answer.

python -m tests.integrations.lost [--cases N] [--client NAME ...] [--seed N]
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Final

from leeward_ran import Evidence, find_evidence
from tests.integrations.clients import Target, clients
from tests.integrations.failing import FULL, REFUSE, TLS_KINDS, Answer, Case, FailingServer, Step

AT_ONCE: Final = 16
"""Cases at one time; most of them wait for a time-out."""

STATUSES: Final = (400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503, 529)

CODES: Final = (
    "AccessDeniedException",
    "ConditionalCheckFailedException",
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "TooManyRequestsException",
    "ServiceException",
)
KINDS: Final = {
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "invalid_request_error": 400,
    "rate_limit_error": 429,
    "api_error": 500,
}
"""Types of errors of the services of models, with their statuses."""
WORDS: Final = ("ABORTED", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "INTERNAL", "NOT_FOUND")
REFUSALS: Final = {*CODES, *KINDS, *WORDS} - {
    "InternalServerError",
    "ServiceException",
    "UNAVAILABLE",
    "INTERNAL",
    "invalid_request_error",
    "api_error",
}

MODELS: Final = ("anthropic", "openai")
FORMS: Final = {"boto3": 0, "google": 1, **dict.fromkeys(MODELS, 2)}
"""Which form of answers a client's own service has."""
CEILING: Final = 0.45
"""The part of the failures of a client where nothing ran, of which it may say ``maybe``."""
CALL_AGAIN: Final = ("backoff", "google over gRPC", "grpc", "stamina", "tenacity")
"""What keeps nothing of earlier requests, and so has no ceiling."""

LOCATIONS: Final = (
    *("/b", "/b", "/b", "/b", "//", "foo:bar", "mailto:b", "http://[::1", "http://a:99999/"),
    *("http://a b/", "http://%zz/", "http://..", f"http://{'a' * 300}/", "http://\x7f/", "\x80"),
)
"""Of redirects: a path, and what is no address that a client can follow."""


def random_answer(random: Random, client: str) -> Answer:
    """Return an error answer as one of the services gives it, or a proxy."""
    status = random.choice(STATUSES)
    marks = random.choice(
        [
            (),
            (("x-request-id", "1"), ("request-id", "1"), ("x-ms-request-id", "1")),
            (("x-amzn-requestid", "1"),),
        ]
    )
    code, word, kind = random.choice(CODES), random.choice(WORDS), random.choice([*KINDS])
    bodies = {
        b'{"__type": "com.amazonaws#%s", "Type": "User", "message": "no"}': code,
        b'{"error": {"code": 400, "status": "%s", "message": "no"}}': word,
        b'{"type": "error", "error": {"type": "%s", "code": null}}': kind,
        b"<html>no</html>": "",
    }
    body, name = random.choice(list(bodies.items()))
    if client in FORMS and random.random() < 0.7:
        body, name = list(bodies.items())[FORMS[client]]
    is_told = client not in MODELS  # by the status; of models it is the type that tells
    status = KINDS.get(name, status)
    is_refused = (is_told and status < 500 and bool(marks)) or name in REFUSALS
    runs = not is_refused and random.random() < 0.5
    body = body % name.encode() if name else body
    return Answer(status, (*marks, ("content-type", "application/json")), body, runs)


def random_steps(random: Random, client: str) -> list[Step]:
    """Return what happens to the requests of a case."""
    steps: list[Step] = []
    if random.random() < 0.35:  # most failures of a network come before a connection
        return [random.choice([FULL, REFUSE])]
    for _ in range(random.choice([1, 1, 1, 2, 2, 3])):
        kind = random.choice(
            ["reset", "hang", "broken", "answer", "answer", "truncated", "redirect", "mark"]
        )
        if kind == "answer":
            steps.append(Step("answer", answer=random_answer(random, client)))
        elif kind == "truncated":
            steps.append(Step("answer", answer=Answer(200, (), b'{"a":', True, 20)))
        elif kind == "redirect":
            status = random.choice([302, 303, 307])
            runs = status != 307
            headers = (("location", random.choice(LOCATIONS)),)
            steps.append(Step("answer", answer=Answer(status, headers, b"", runs)))
        elif kind == "mark":
            steps.append(Step("answer", answer=Answer(429, (("x-leeward", "1"),), b"{}", True)))
        elif kind == "broken":
            steps.append(Step(random.choice(["half", "drop"])))
        else:
            steps.append(Step(kind, runs=True))
    return [*steps, REFUSE]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases, report, and return the exit status."""
    parser = ArgumentParser(prog="python -m tests.integrations.lost", description=__doc__)
    parser.add_argument("--cases", type=int, default=400)
    parser.add_argument("--client", action="append", help="only these")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    calls = {
        name: call
        for name, call in clients().items()
        if not options.client or name in options.client
    }
    report: dict[str, Counter[str]] = {name: Counter() for name in calls}
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, open_server(Path(folder)) as server:
        trusted = str(Path(folder) / "trusted.pem")

        def run(number: int, name: str) -> str:
            """Run one case, and return what is wrong about it."""
            random = Random(f"{options.seed} {number} {name}")
            tls = random.choice(TLS_KINDS) if random.random() < 0.25 else None
            steps = random_steps(random, name)
            case, shown = server.open(steps, tls), repr((tls, steps))
            found = failure(calls[name], Target(url_of(case, tls), trusted, random))
            server.close(case)
            flaw = "" if found is None else report_of(found, case.effects, report[name])
            return f"{name} {number}: {flaw}: {found}; {shown}" if flaw else ""

        with ThreadPoolExecutor(AT_ONCE) as pool:
            cases = [(number, name) for number in range(options.cases) for name in calls]
            for flaw in pool.map(lambda case: run(*case), cases):
                if flaw:
                    wrong += 1
                    print(f"WRONG {flaw}", flush=True)
    over = [name for name, counts in report.items() if is_over(name, counts)]
    print(f"wrong: {wrong} of {sum(sum(counts.values()) for counts in report.values())}")
    return 1 if wrong or over else 0


def is_over(name: str, counts: Counter[str], ceiling: float = CEILING) -> bool:
    """Print what a client's failures have proved; return whether too many proved too little."""
    vague, proved = counts["maybe, and it did not run"], counts["no, and it did not run"]
    share = vague / max(vague + proved, 1)
    print(
        f"{name}: {sum(counts.values())} failures, {dict(sorted(counts.items()))}; "
        f"maybe in {share:.0%} of those where nothing ran"
    )
    return name not in CALL_AGAIN and vague + proved >= 20 and share > ceiling


def url_of(case: Case, tls: str | None) -> str:
    """Return the address of a case."""
    return f"http{'s' if tls else ''}://localhost:{case.port}"


def failure(call: Callable[[Target], None], target: Target) -> Evidence | None:
    """Call, and return what the exception proves; None if there was none."""
    try:
        call(target)
    except Exception as error:
        return find_evidence(error)
    return None


def report_of(found: Evidence, effects: int, counts: Counter[str]) -> str:
    """Count an answer; return what is wrong about it, or nothing."""
    counts[f"{found.ran}, and it {'ran' if effects else 'did not run'}"] += 1
    if found.ran == "no" and effects:
        return f"no, and it ran {effects} times"
    return "yes, and it did not run" if found.ran == "yes" and not effects else ""


def open_server(folder: Path) -> FailingServer:
    """Make authorities, and return a server with certificates of both."""
    import ssl

    import trustme

    contexts = {}
    for name in ("trusted", "foreign"):
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / f"{name}.pem"))
        contexts[name] = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(contexts[name])
    return FailingServer(contexts)


if __name__ == "__main__":
    sys.exit(main())
