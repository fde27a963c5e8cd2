"""Serve the functions of an app over HTTP, from any process: one thread for each call.

```python
with serve_functions(app, "127.0.0.1:8080") as server:
    server.wait()
```

Where there is no place for a call, the answer is a refusal with the mark of the call: so the caller
knows that nothing ran, and may go elsewhere.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable
from hmac import compare_digest
from threading import Semaphore
from time import monotonic
from typing import Final

from leeward.adapter.hosts import is_this_machine
from leeward.app.answers import HostRefusal, Problem
from leeward.app.app import App
from leeward.app.connection import RequestHead
from leeward.app.host import (
    HEALTH_PATH,
    WARM_PATH,
    Host,
    HttpAnswer,
    HttpRequest,
    answer_upkeep,
    serve,
)
from leeward.app.http_server import HttpServer, busy_answer, check_own_name, host_and_port, listen
from leeward.app.triggers import Platform
from leeward.clock import SystemClock
from leeward.entropy import new_id
from leeward.envelope import NO_TOKEN, sent_in
from leeward.errors import ConfigError, Conflict, InvalidRequest, LeewardError, NotFound
from leeward.json_text import Undecodable, decode, encode
from leeward.text import is_token
from leeward.values import Json

ADDRESS: Final = "127.0.0.1:8080"

THREADS: Final = 32  # calls that run at once
SPARE: Final = 16  # threads beside them, for bodies that are on their way in
PLACE_SECONDS: Final = 1.0  # how long a call waits for a place before it is refused

SECONDS: Final = 60.0
"""What a call may take if its caller does not say; `Client.invoke` waits as long."""

BODY_BYTES: Final = 6 * 1024 * 1024
"""Of a request; what `leeward.adapter.Limits` has for a payload."""

ANSWER_BYTES: Final = 20 * 1024 * 1024  # of an answer; leeward's client takes no larger one.


EVENT_PATH: Final = re.compile("/workflows/([^/]+)/runs/([^/]+)/events/([^/]+)")
"""Of an event for a run: its value is the body, JSON, and its id the `Idempotency-Key`."""

SendEvent = Callable[[str, str, str, Json, str], object]
"""Sends an event: workflow, run, event, value and id."""


class FunctionServer(HttpServer):
    """Serves an app's functions; `serve_functions` makes one. It listens at once.

    Calls are answered from `start` on. To leave a ``with`` statement is to drain and to close.
    """

    def __init__(
        self,
        host: Host,
        listener: socket.socket,
        *,
        tokens: tuple[bytes, ...],
        anonymous: bool,
        threads: int,
        body_bytes: int,
        seconds: float,
        send: SendEvent | None = None,
    ) -> None:
        self._send_event = send
        super().__init__(listener, threads=threads + SPARE, body_bytes=body_bytes)
        self._host, self._tokens, self._seconds = host, tokens, seconds
        self._anonymous, self._places = anonymous, Semaphore(threads)

    def __exit__(self, *_: object) -> None:
        self.drain(self._seconds)
        self.close()

    def check(self, head: RequestHead) -> bool:
        """Return whether a request asks for upkeep, which anybody may."""
        is_upkeep = head.path.rstrip("/").endswith((WARM_PATH, HEALTH_PATH))
        if head.method == "GET" and is_upkeep:
            return True
        if not self._tokens:
            if "origin" in head.headers:
                problem = "a page in a browser may not call without a token"
                raise Problem(problem, status=403, reason="browser")
            if not self._anonymous:
                check_own_name(head, self.address)
            return False
        scheme, _, token = head.headers.get("authorization", "").partition(" ")
        sent = token.strip().encode("latin-1")
        matches = [compare_digest(sent, token) for token in self._tokens]
        if scheme.lower() != "bearer" or not any(matches):
            raise HostRefusal("the token is missing or unknown", status=401, reason=NO_TOKEN)
        return False

    def tend(self, request: HttpRequest) -> HttpAnswer:
        """Answer a question for health, or keep the instance warm."""
        answer = answer_upkeep(self._host, request)
        assert answer is not None  # `check` asks for the same
        return answer

    def answer(self, request: HttpRequest, mark: str, began: float) -> HttpAnswer:
        """Answer a call, once it has a place."""
        refusal = answer_upkeep(self._host, request)
        if refusal is not None:  # this deployment answers nothing else
            return refusal
        if not self._places.acquire(timeout=PLACE_SECONDS):
            return busy_answer("every place is taken", mark)
        try:
            event = EVENT_PATH.fullmatch(request.path)
            if event is not None and self._send_event is not None:
                return _answer_event(self._send_event, request, *event.groups())
            handler = self._host.dedicated_handler(None) or self._host.function_at(request.path)
            call_id, waited = new_id(SystemClock.now()), monotonic() - began
            return serve(self._host, handler, request, call_id, self._seconds, waited=waited)
        finally:
            self._places.release()


def _answer_event(
    send: SendEvent, request: HttpRequest, workflow: str, run: str, event: str
) -> HttpAnswer:
    """Send the event of a request; after 503 it may have been kept, and can be sent again."""
    status, answer = 200, "sent"
    try:
        if request.method != "POST":
            raise InvalidRequest("events are sent with POST")
        id = sent_in(request.headers).idempotency_key or ""
        send(workflow, run, event, decode(request.body), id)
    except (LeewardError, Undecodable) as error:
        statuses = {NotFound: 404, Conflict: 409, InvalidRequest: 400, Undecodable: 400}
        status, answer = statuses.get(type(error), 503), str(error)
    headers = (("content-type", "application/json"),)
    return HttpAnswer(status, headers, encode({"event": answer}))


def serve_functions(
    app: App,
    address: str = ADDRESS,
    *,
    token: str | Iterable[str] = (),
    anonymous: bool = False,
    threads: int = THREADS,
    body_bytes: int = BODY_BYTES,
    seconds: float = SECONDS,
    send: SendEvent | None = None,
) -> FunctionServer:
    """Return a server of an app's functions, which listens, and answers once it is started.

    Args:
        app: with the functions.
        address: ``HOST:PORT``, by default of this machine alone. Port 0 takes a free one.
        token: that a caller has to send as ``Authorization: Bearer``; several while it changes.
        anonymous: let everybody call who reaches an address of other machines, without a token.
        threads: calls that run at once.
        body_bytes: of a request, at most.
        seconds: that a call may take if its caller does not say.
        send: sends an event to a run, such as `Client.send_event`; None if events are not served.

    Raises:
        ConfigError: an argument or a handler is wrong, or the address cannot be listened at.
    """
    app.check()
    tokens = (token,) if isinstance(token, str) else tuple(token)
    if not all(map(is_token, tokens)):
        raise ConfigError("token must be text of visible ASCII without white space, not empty")
    place = host_and_port(address, f"HOST:PORT, such as {ADDRESS}")
    if not tokens and not anonymous and not is_this_machine(address):
        raise ConfigError(
            f"other machines can reach {address!r}, and no token is set: give a token (a worker: "
            "LEEWARD_WORKER_TOKEN), or anonymous=True where a proxy in front checks who calls"
        )
    for name, value in (("threads", threads), ("body_bytes", body_bytes), ("seconds", seconds)):
        if not value > 0:
            raise ConfigError(f"{name} must be more than 0")
    platform = Platform("http", None, SystemClock(), ANSWER_BYTES)
    return FunctionServer(
        Host(app, platform),
        listen(place),
        tokens=tuple(token.encode() for token in tokens),
        anonymous=anonymous,
        threads=threads,
        body_bytes=body_bytes,
        seconds=seconds,
        send=send,
    )
