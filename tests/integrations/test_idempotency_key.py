"""Requests with an ``Idempotency-Key`` run once, over ASGI and WSGI alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from io import BytesIO
from threading import Event, Thread
from typing import Any, NamedTuple

import pytest

from leeward import AsyncClient, Client
from leeward.app.answers import Problem
from leeward.app.idempotency import current_run
from leeward.app.idempotency.record import KeyState
from leeward.app.idempotency.store import item_of
from leeward.errors import ConfigError
from leeward.local import Local
from leeward.testing import Fault, FaultyDriver
from leeward_contract_tests.rows import each_row
from leeward_integrations import asgi, wsgi
from leeward_integrations.idempotency_key import LARGEST_REQUEST


class Answer(NamedTuple):
    """What a caller got."""

    status: int
    headers: dict[str, str]
    body: bytes


Send = Callable[..., Answer]
RUNS: list[str] = []
WAIT: dict[str, Event] = {}
STATUSES: dict[str, int] = {}
ANSWERS = {"/large": b"x" * 300_000}
RAISES = {"/raise": ZeroDivisionError(), "/problem": Problem("no", status=418, reason="tea")}


def answer_to(path: str, body: bytes) -> tuple[int, bytes]:
    """Have the effect, and return status and body of the answer."""
    RUNS.append(path)
    if path in RAISES:
        raise RAISES[path]
    if path == "/wait":
        WAIT["begun"].set()
        WAIT["go"].wait(10)
    if path in ANSWERS:
        return 200, ANSWERS[path]
    status = STATUSES.get(path) or (int(path[1:]) if path[1:].isdigit() else 201)
    return status, json.dumps({"runs": len(RUNS), "got": len(body)}).encode()


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    """An app of ASGI."""
    body = (await receive())["body"]
    status, text = await asyncio.to_thread(answer_to, scope["path"], body)
    headers = [(b"content-type", b"application/json"), (b"x-run", str(len(RUNS)).encode())]
    headers += [(b"set-cookie", b"session=1")] if scope["path"] == "/cookie" else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for begin in range(0, len(text), 100_000):
        more = begin + 100_000 < len(text)
        part = text[begin : begin + 100_000]
        await send({"type": "http.response.body", "body": part, "more_body": more})


def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
    """The same for WSGI."""
    status, text = answer_to(environ["PATH_INFO"], environ["wsgi.input"].read())
    headers = [("Content-Type", "application/json"), ("X-Run", str(len(RUNS)))]
    headers += [("Set-Cookie", "session=1")] if environ["PATH_INFO"] == "/cookie" else []
    start_response(f"{status} Done", headers)
    return [text]


@pytest.fixture(params=["asgi", "wsgi"])
def send(request: pytest.FixtureRequest) -> Iterator[Send]:
    """Return a function that sends a request to a guarded app."""
    RUNS.clear()
    WAIT.update(begun=Event(), go=Event())
    options: dict[str, Any] = {
        "table": "keys",
        "principal": who_asks,
        "required": True,
        "settles": True,
    }
    if request.param == "wsgi":
        with Client(Local()) as client:
            guarded = wsgi.IdempotencyKeys(wsgi_app, client=client, **options)
            yield partial(send_wsgi, guarded)
        return
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()

    def run(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(20)

    async def open_app() -> Any:
        client = await AsyncClient(Local()).__aenter__()
        return client, asgi.IdempotencyKeys(asgi_app, client=client, **options)

    client, app = run(open_app())
    yield lambda *given, **named: run(send_asgi(app, *given, **named))
    run(client.close())
    run(loop.shutdown_default_executor())
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def who_asks(scope: Any) -> str | None:
    """Return the caller that a server has checked."""
    asked: str | None = scope.get("user") or scope.get("REMOTE_USER")
    return asked


async def send_asgi(
    app: Any, path: str, key: str | None = "k1", body: bytes = b"{}", **more: Any
) -> Answer:
    """Send a request to an app of ASGI."""
    keys = () if key is None else key.split("\n")
    headers = [(b"Idempotency-Key", each.encode()) for each in keys]
    headers += [(n.encode(), v.encode()) for n, v in more.get("headers", {}).items()]
    scope = {
        "type": "http",
        "method": more.get("method", "POST"),
        "path": path,
        "query_string": b"",
        "headers": headers,
        "user": more.get("user"),
        "extensions": more.get("extensions", {}),
    }
    given = [{"type": "http.request", "body": body, "more_body": False}]
    told: list[Any] = []

    async def receive() -> Any:
        return given.pop(0) if given else {"type": "http.disconnect"}

    async def keep(message: Any) -> None:
        told.append(message)

    await app(scope, receive, keep)
    headers_told = {n.decode().lower(): v.decode() for n, v in told[0]["headers"]}
    return Answer(told[0]["status"], headers_told, b"".join(m.get("body", b"") for m in told[1:]))


def send_wsgi(
    app: Any, path: str, key: str | None = "k1", body: bytes = b"{}", **more: Any
) -> Answer:
    """Send a request to an app of WSGI."""
    environ = {
        "REQUEST_METHOD": more.get("method", "POST"),
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        "REMOTE_USER": more.get("user"),
        **more.get("environ", {}),
    }
    if key is not None:
        environ["HTTP_IDEMPOTENCY_KEY"] = key
    for name, text in more.get("headers", {}).items():
        prefix = "" if name == "content-type" else "HTTP_"
        environ[prefix + name.upper().replace("-", "_")] = text
    told: list[Any] = []
    text = b"".join(app(environ, lambda status, headers: told.append((status, headers))))
    return Answer(int(told[0][0][:3]), {n.lower(): v for n, v in told[0][1]}, text)


def test_a_repeat_gets_the_first_answer(send: Send) -> None:
    """With its status and its headers; the app runs once."""
    first, again = send("/charge"), send("/charge")
    assert first == again
    assert (first.status, first.headers["x-run"], RUNS) == (201, "1", ["/charge"])


LISTS = ['"k1", "k2"', "k1, k2", 'k1,"k2"', '"k1", k2']
"""What a server of WSGI makes of two headers."""


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "caf\u00e9", *LISTS])
def test_a_wrong_key_is_refused(send: Send, key: str) -> None:
    """400 says what a key is."""
    assert send("/charge", key).status == 400
    assert RUNS == []


def test_a_key_in_quotation_marks_is_the_same(send: Send) -> None:
    """The draft has a string of RFC 8941."""
    assert send("/charge", '"k1"') == send("/charge", "k1")
    assert send("/charge", '"k1, k2"').status == 201


def test_two_keys_are_refused() -> None:
    """Servers of ASGI hand on each header; one that a proxy has doubled is one key."""

    async def statuses() -> list[int]:
        async with AsyncClient(Local()) as client:
            app = asgi.IdempotencyKeys(asgi_app, table="keys", client=client, principal=None)
            return [(await send_asgi(app, "/charge", key)).status for key in ("k\nk", "k", "k\nj")]

    RUNS.clear()
    assert asyncio.run(statuses()) == [201, 201, 400]
    assert len(RUNS) == 1


def test_methods_are_a_list_in_any_case() -> None:
    """A text would be its letters; Flask and Django take ``post`` for ``POST``."""
    RUNS.clear()
    with Client(Local()) as client:
        app = wsgi.IdempotencyKeys(
            wsgi_app, table="keys", client=client, principal=None, methods=["put"]
        )
        assert [send_wsgi(app, "/c", method=method).status for method in ("PUT", "put")] == [
            201,
            422,
        ]
    assert RUNS == ["/c"]


async def ask_who(scope: Any) -> str:
    """Return a caller, and late."""
    return str(scope)


@each_row(
    "option, wrong, match",
    [
        ("methods", "POST", r"methods must be a list of names: \['POST'\]"),
        ("largest", "1 MB", "largest must be a whole number of bytes, not '1 MB'"),
        ("principal", "platform", "principal must be a plain function of the request"),
        ("principal", "", "principal is missing: a function of the request"),
        ("settles", True, "settles needs a principal"),
        ("principal", ask_who, "principal must be a plain function of the request"),
    ],
)
def test_a_wrong_option_is_named_at_once(option: str, wrong: Any, match: str) -> None:
    """And not by the first request, whose effect has happened then."""
    with pytest.raises(ConfigError, match=match):
        asgi.IdempotencyKeys(asgi_app, **{"table": "keys", "principal": None, option: wrong})


def test_a_repeat_waits_while_the_first_runs(send: Send) -> None:
    """409 with Retry-After."""
    first = Thread(target=send, args=("/wait",))
    first.start()
    WAIT["begun"].wait(10)
    again = send("/wait")
    WAIT["go"].set()
    first.join()
    assert (again.status, int(again.headers["retry-after"]) > 0) == (409, True)
    assert send("/wait").status == 201
    assert len(RUNS) == 1


def test_a_run_that_raised_may_have_had_its_effect(
    send: Send, caplog: pytest.LogCaptureFixture
) -> None:
    """A repeat is refused, and says maybe; what an operator does about it is in the log."""
    with pytest.raises(ZeroDivisionError):
        send("/raise")
    again = send("/raise")
    assert (again.status, json.loads(again.body)["ran"], len(RUNS)) == (409, "maybe", 1)
    assert b"leeward" not in again.body
    assert "repeat_refused why='unknown' record='keys " in caplog.text


def test_a_run_that_was_taken_over_is_not_denied() -> None:
    """It has run, and too long: somebody else's verdict counts."""

    def slow_app(environ: Any, start_response: Any) -> list[bytes]:
        run = current_run()
        assert run is not None
        assert run.held is not None
        other = run.held.record._replace(owner="other", state=KeyState.UNKNOWN)
        client.store_data("keys", item_of(other, run.location.id, run.location.clock))
        return wsgi_app(environ, start_response)

    RUNS.clear()
    with Client(Local()) as client:
        answer = send_wsgi(
            wsgi.IdempotencyKeys(slow_app, table="keys", client=client, principal=None), "/charge"
        )
    assert (answer.status, json.loads(answer.body)["ran"], len(RUNS)) == (409, "maybe", 1)
    assert b"not run" not in answer.body


def test_an_app_answers_for_what_it_raises_itself(send: Send) -> None:
    """The same class says that a request did not run, where the middleware raises it."""
    with pytest.raises(Problem, match="no"):
        send("/problem")
    assert (send("/problem").status, len(RUNS)) == (409, 1)


def test_other_methods_pass(send: Send) -> None:
    """A GET may be sent again anyhow."""
    assert send("/charge", method="GET").headers["x-run"] == "1"
    assert send("/charge", method="GET").headers["x-run"] == "2"


def test_a_large_request_is_refused(send: Send) -> None:
    """It could not be compared with a repeat."""
    assert send("/charge", body=b"x" * (LARGEST_REQUEST + 1)).status == 413
    assert RUNS == []


QUESTION = {"x-leeward-settle": "1000", "x-leeward-call": "mark"}
ANN: dict[str, Any] = {"user": "ann"}


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_a_table_that_is_away_refuses_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """The caller is told that nothing ran, and the operator what is wrong."""
    RUNS.clear()
    away = FaultyDriver(Local())
    away.fail(Fault.REFUSE)

    async def send_and_close() -> Answer:
        async with AsyncClient(away) as client:
            return await send_asgi(
                asgi.IdempotencyKeys(asgi_app, table="keys", client=client, principal=None), "/"
            )

    if kind == "asgi":
        answer = asyncio.run(send_and_close())
    else:
        with Client(away) as client:
            answer = send_wsgi(
                wsgi.IdempotencyKeys(wsgi_app, table="keys", client=client, principal=None), "/"
            )
    assert (answer.status, answer.headers["retry-after"], RUNS) == (503, "1", [])
    assert "keys_unavailable" in caplog.text
    assert "'keys' on local could not be sent" in caplog.text


def test_a_key_is_settled_on_request(send: Send) -> None:
    """A question runs nothing, and says what became of the key."""
    send("/charge", **ANN)
    answer = send("/charge", headers=QUESTION, **ANN)
    told = json.loads(answer.body)
    assert (answer.headers["x-leeward"], told["verdict"]) == ("mark", "ran")
    assert (told["key"], told["result"]) == ("k1", {"runs": 1, "got": 2})
    assert len(RUNS) == 1


@pytest.mark.parametrize("text", [b"[" * 100_000, b"NaN", b'{"age": 1' + b"0" * 5000 + b"}"])
def test_a_question_is_answered_whatever_the_texts_are(send: Send, text: bytes) -> None:
    """Of the caller, and of the app: what is not JSON is a text."""
    ANSWERS["/odd"] = text
    assert send("/odd", **ANN).body == text
    told = json.loads(send("/odd", body=text, headers=QUESTION, **ANN).body)
    assert (told["verdict"], told["result"]) == ("ran", text.decode())


@each_row(
    "method, user",
    [("POST", None), ("GET", None), ("DELETE", None)],
)
def test_a_stranger_settles_nothing(send: Send, method: str, user: str | None) -> None:
    """Neither is the answer read, nor the key voided, on any method."""
    send("/charge", **ANN)
    refusal = send("/charge", headers=QUESTION, method=method, user=user)
    assert (refusal.status, json.loads(refusal.body)["reason"]) == (403, "not_settled")
    assert send("/unused", key="k2", headers=QUESTION, method=method, user=user).status == 403
    assert send("/unused", key="k2", **ANN).status == 201
    assert RUNS == ["/charge", "/unused"]


def test_one_caller_learns_nothing_of_another(send: Send) -> None:
    """A question is about the asker's own key."""
    send("/charge", **ANN)
    told = json.loads(send("/charge", headers=QUESTION, user="bob").body)
    assert (told["verdict"], told.get("result")) != ("ran", {"runs": 1, "got": 2})
    assert "runs" not in str(told)


def test_nothing_is_settled_unless_it_is_switched_on() -> None:
    """A question is refused, and does not run the app."""
    RUNS.clear()
    with Client(Local()) as client:
        app = wsgi.IdempotencyKeys(wsgi_app, table="keys", client=client, principal=who_asks)
        assert send_wsgi(app, "/charge", headers=QUESTION, user="ann").status == 403
    assert RUNS == []


@each_row("status", [401, 403])
def test_a_refusal_of_the_caller_is_not_kept(send: Send, status: int) -> None:
    """The key is free for a caller who may."""
    RUNS.clear()
    STATUSES["/door"], key = status, str(status)
    assert send("/door", key).status == status
    STATUSES["/door"] = 201
    assert send("/door", key).status == 201
    assert (send("/door", key).status, len(RUNS)) == (201, 2)


def test_a_cookie_reaches_the_first_caller_alone(send: Send) -> None:
    """A session is nobody's who knows a key."""
    assert send("/cookie").headers["set-cookie"] == "session=1"
    again = send("/cookie")
    assert (again.status, "set-cookie" in again.headers, len(RUNS)) == (201, False, 1)


def test_a_new_boundary_is_no_new_payload(send: Send) -> None:
    """Clients make one for each request."""

    def post(boundary: str, text: str) -> int:
        kind = {"content-type": f"multipart/form-data; charset=utf-8; boundary={boundary}"}
        head = 'Content-Disposition: form-data; name="n"'
        body = f"--{boundary}\r\n{head}\r\n\r\n{text}\r\n--{boundary}--"
        return send("/form", body=body.encode(), headers=kind).status

    assert [post("first", "1"), post("second", "1"), post("third", "2")] == [201, 201, 422]
    assert RUNS == ["/form"]


async def failing_behind_app(scope: Any, receive: Any, send: Any) -> None:
    """Answer in full, and then fail, as a background task of Starlette does."""
    RUNS.append(scope["path"])
    await receive()
    status = 500 if scope["path"] == "/broken" else 201
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"whole"})
    raise ZeroDivisionError


@each_row("path, second", [("/charge", (201, b"whole")), ("/broken", (409, b"unknown"))])
def test_a_whole_answer_is_the_answer(path: str, second: tuple[int, bytes]) -> None:
    """What fails behind it is for the server; a 500 says that the request itself has broken off."""
    RUNS.clear()

    async def send_twice() -> Answer:
        async with AsyncClient(Local()) as client:
            app = asgi.IdempotencyKeys(
                failing_behind_app, table="keys", client=client, principal=None
            )
            with pytest.raises(ZeroDivisionError):
                await send_asgi(app, path)
            return await send_asgi(app, path)

    answer = asyncio.run(send_twice())
    assert (answer.status, second[1] in answer.body, RUNS) == (second[0], True, [path])


def test_a_hundred_at_once_run_one_effect() -> None:
    """Whoever comes second waits or is refused."""
    RUNS.clear()

    async def run() -> list[Answer]:
        async with AsyncClient(Local()) as client:
            app = asgi.IdempotencyKeys(asgi_app, table="keys", client=client, principal=None)
            return await asyncio.gather(*(send_asgi(app, "/charge") for _ in range(100)))

    answers = asyncio.run(run())
    assert {answer.status for answer in answers} <= {201, 409}
    assert RUNS == ["/charge"]


def test_a_key_of_nobody_is_not_a_callers(send: Send) -> None:
    """Who has not logged in does not read the answer of who has, whatever the name is."""
    send("/charge", user="ann", key="k")
    send("/charge", user="null", key="k")
    send("/charge", key="k")
    assert len(RUNS) == 3
    assert send("/charge", user="ann", key="[" * 255).status == 201


def test_an_answer_without_content_has_no_length(send: Send) -> None:
    """RFC 9110, 8.6: neither a first one nor a repeat."""

    def answers() -> list[bool]:
        return ["content-length" in send("/204").headers for _ in range(2)]

    assert answers() == [False, False]


def test_a_body_in_chunks_reaches_the_app() -> None:
    """Its length is not told beforehand, as gunicorn and Werkzeug hand it on."""
    RUNS.clear()
    with Client(Local()) as client:
        app = wsgi.IdempotencyKeys(wsgi_app, table="keys", client=client, principal=None)
        chunks = {"CONTENT_LENGTH": None, "wsgi.input_terminated": True}
        answer = send_wsgi(app, "/charge", body=b"12345", environ=chunks)
        assert json.loads(answer.body)["got"] == 5
        assert send_wsgi(app, "/charge", body=b"other", environ=chunks).status == 422
        large = b"x" * (LARGEST_REQUEST + 1)
        assert send_wsgi(app, "/charge", body=large, environ=chunks).status == 413
        chunked = {"CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": "chunked"}
        assert send_wsgi(app, "/charge", key="k2", environ=chunked).status == 411
    assert RUNS == ["/charge"]


def test_half_a_body_does_not_take_the_key() -> None:
    """The caller was cut off, and sends the whole of it later."""
    RUNS.clear()
    with Client(Local()) as client:
        app = wsgi.IdempotencyKeys(wsgi_app, table="keys", client=client, principal=None)
        cut = send_wsgi(app, "/charge", body=b"123", environ={"CONTENT_LENGTH": "5"})
        assert (cut.status, RUNS) == (400, [])
        assert send_wsgi(app, "/charge", body=b"12345").status == 201


def test_an_app_of_wsgi_that_answers_nothing_is_named() -> None:
    """It never calls `start_response`."""
    with Client(Local()) as client:
        app = wsgi.IdempotencyKeys(
            lambda environ, start: [], table="keys", client=client, principal=None
        )
        with pytest.raises(RuntimeError, match="without an answer"):
            send_wsgi(app, "/charge")


async def half_app(scope: Any, receive: Any, send: Any) -> None:
    """Stop midway without a word, as a stream does whose caller has gone."""
    RUNS.append(scope["path"])
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})


def test_half_an_answer_is_not_kept() -> None:
    """A repeat does not get it as if it were whole."""
    RUNS.clear()

    async def send_twice() -> int:
        async with AsyncClient(Local()) as client:
            app = asgi.IdempotencyKeys(half_app, table="keys", client=client, principal=None)
            with pytest.raises(RuntimeError, match="midway"):
                await send_asgi(app, "/charge")
            return (await send_asgi(app, "/charge")).status

    assert asyncio.run(send_twice()) == 409
    assert RUNS == ["/charge"]


async def listening_app(scope: Any, receive: Any, send: Any) -> None:
    """End early where the caller has gone, as Django, Quart and middleware of Starlette do."""
    RUNS.append(scope["path"])
    await receive()
    gone = asyncio.ensure_future(receive())
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/large":
        await send({"type": "http.response.body", "body": b"x" * 300_000, "more_body": True})
    for _ in range(3):
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"half" if gone.done() else b"whole"})
    assert (await gone)["type"] == "http.disconnect"


@each_row("path, second", [("/small", (200, b"whole")), ("/large", (409, b"unknown"))])
def test_a_caller_that_has_gone_ends_no_run(path: str, second: tuple[int, bytes]) -> None:
    """It gets the answer when it asks again; one on its way already has broken off."""
    RUNS.clear()

    async def send_twice() -> Answer:
        async with AsyncClient(Local()) as client:
            app = asgi.IdempotencyKeys(listening_app, table="keys", client=client, principal=None)
            with suppress(RuntimeError):
                await send_asgi(app, path)
            return await send_asgi(app, path)

    answer = asyncio.run(send_twice())
    assert (answer.status, second[1] in answer.body, RUNS) == (second[0], True, [path])


async def file_app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with a file, by its path where the server can send that."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if "http.response.pathsend" in scope["extensions"]:
        await send({"type": "http.response.pathsend", "path": __file__})
    else:
        await send({"type": "http.response.body", "body": b"file"})


def test_an_answer_comes_through_the_middleware_whole() -> None:
    """A server's own ways to send files do not go past it."""

    async def get_file() -> bytes:
        async with AsyncClient(Local()) as client:
            app = asgi.IdempotencyKeys(file_app, table="keys", client=client, principal=None)
            offered: dict[str, Any] = {"http.response.pathsend": {}, "tls": {}}
            return (await send_asgi(app, "/charge", extensions=offered)).body

    assert asyncio.run(get_file()) == b"file"


async def large_half_app(scope: Any, receive: Any, send: Any) -> None:
    """Raise after more than is kept has left, or end when another run had taken over."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x" * 300_000, "more_body": True})
    run = current_run()
    if "client" not in scope or run is None or run.held is None:
        raise ZeroDivisionError
    other = run.held.record._replace(owner="other", state=KeyState.UNKNOWN)
    await scope["client"].store_data("keys", item_of(other, run.location.id, run.location.clock))
    await send({"type": "http.response.body", "body": b"x"})


def test_an_answer_starts_once() -> None:
    """It was on its way already when the app raised, or when its run was found to be over."""
    sent: list[str] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def note(message: Any) -> None:
        sent.append(message["type"])

    async def send_twice() -> None:
        async with AsyncClient(Local()) as client:
            app = asgi.IdempotencyKeys(large_half_app, table="keys", client=client, principal=None)
            scope = {"type": "http", "method": "POST", "path": "/"}
            superseded = {"client": client, "headers": [(b"idempotency-key", b"k")]}
            await app({**scope, **superseded}, receive, note)
            await app({**scope, "headers": [(b"idempotency-key", b"j")]}, receive, note)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(send_twice())
    start, body = "http.response.start", "http.response.body"
    assert sent == [start, body, body, start, body]
