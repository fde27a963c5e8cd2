"""What a table of resources names is made over HTTPS, in its order, and removed in reverse."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.client import HTTPException
from types import ModuleType
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from cloud_tests.delivery import wait_for_delivery
from cloud_tests.deployed.package import package_app
from cloud_tests.teardown import Teardown
from leeward import Config

PREFIX: Final = "leeward-test"
"""Of the names of everything that is made, and the name of the tag or label."""

_BUSY: Final = frozenset({409, 412, 423, 429, 500, 502, 503, 504})
"""Statuses after which a removal is tried again: something is still being made, or removed."""

_SECONDS: Final = 60.0
"""For one request."""


class State(NamedTuple):
    """Where the state of a resource stands, and what it can be.

    Attributes:
        path: the fields that lead to it.
        ready: in which it can be used.
        failed: those that it does not leave.
    """

    path: tuple[str, ...]
    ready: str
    failed: tuple[str, ...]


Body: TypeAlias = Mapping[str, Any] | bytes | None
"""Of a request: a document, or a zip."""


class Resource(NamedTuple):
    """One thing that is made.

    Attributes:
        what: a name that a person can look for.
        url: where it is asked for, and deleted.
        body: of the request that makes it; or what returns it when its turn has come, from what
            was made before.
        create: method and URL of that request, or what returns the URL, as of a body; empty for PUT
            and `url`.
        state: None where an answer says that it is there.
        is_part: it goes with the one before, and is not removed by itself.
    """

    what: str
    url: str
    body: Body | Callable[[], Body]
    create: tuple[str, str | Callable[[], str]] | tuple[()] = ()
    state: State | None = None
    is_part: bool = False


class Refusal(Exception):
    """A cloud has refused a request; the message has its status and what it said."""


class Api:
    """The control plane of a cloud.

    Args:
        token: returns a bearer token; asked for each request.
        patience: seconds until something is made, or gone.
        pause: seconds between two looks.
    """

    def __init__(self, token: Callable[[], str], patience: float, pause: float) -> None:
        self._token, self._patience, self._pause = token, patience, pause

    def send(self, method: str, url: str, body: Body = None, *, is_signed: bool = False) -> Any:
        """Return the document of an answer; None if there is no such thing.

        A URL that `is_signed` needs no token.

        Raises:
            Refusal: any other status than of success.
            OSError: there was no answer; it may have been done.
        """
        status, document = self._exchange(method, url, body, is_signed=is_signed)
        if status == 404:
            return None
        if status >= 300:
            raise Refusal(f"{method} {url.partition('?')[0]}: {status} {document}")
        return document

    def make(self, resource: Resource) -> None:
        """Make something, and wait until it can be used.

        Raises:
            Refusal: it was refused, or has failed.
            TimeoutError: it is not there in time.
        """
        method, place = resource.create or ("PUT", resource.url)
        url = place if isinstance(place, str) else place()
        body = resource.body() if callable(resource.body) else resource.body
        if self.send(method, url, body) is None:
            raise Refusal(f"{method} {url.partition('?')[0]}: 404")
        self._wait(resource.what, lambda: _is_ready(resource, self.send("GET", resource.url)))

    def remove(self, resource: Resource) -> None:
        """Remove something, if it is there, and wait until it is gone.

        Raises:
            Refusal: it was refused.
            TimeoutError: it is still there.
        """
        self._wait(f"no {resource.what}", partial(self._is_deleted, resource))
        self._wait(f"no {resource.what}", lambda: self.send("GET", resource.url) is None)

    def _is_deleted(self, resource: Resource) -> bool:
        status, document = self._exchange("DELETE", resource.url, None)
        if status >= 300 and status not in _BUSY | {404}:
            raise Refusal(f"DELETE {resource.what}: {status} {document}")
        return status not in _BUSY

    def _wait(self, what: str, is_done: Callable[[], bool]) -> None:
        until = time.monotonic() + self._patience
        while not is_done():
            if time.monotonic() > until:
                raise TimeoutError(f"after {self._patience:.0f} seconds there is not yet {what}")
            time.sleep(self._pause)

    def _exchange(
        self, method: str, url: str, body: Body, *, is_signed: bool = False
    ) -> tuple[int, Any]:
        is_zip = isinstance(body, bytes)
        headers = {"Content-Type": "application/zip" if is_zip else "application/json"}
        sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if not is_signed:
            headers["Authorization"] = f"Bearer {self._token()}"
        request = Request(url, sent, headers, method=method)  # noqa: S310 - of a table here
        try:
            with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                return answer.status, _read(answer.read())
        except HTTPError as error:
            with error:
                return error.code, _read(error.read())
        except HTTPException as error:
            raise OSError(f"{method}: {type(error).__name__}") from error


class Account(NamedTuple):
    """Where resources are made.

    Attributes:
        api: of the control plane.
        roots: the URLs below which they are, by service.
        location: such as ``westeurope``.
        where: the same, for the user.
        identity: as whom functions run and are called, where that needs an account.
        is_own: the tests have this identity themselves.
    """

    api: Api
    roots: Mapping[str, str]
    location: str
    where: str
    identity: str = ""
    is_own: bool = True


@contextmanager
def provisioned(
    api: Api, resources: Sequence[Resource], announce: Callable[[str], None]
) -> Iterator[None]:
    """Make everything, and remove it in the end, the last first.

    Raises:
        Refusal: something could not be made. What was made is removed.
        StillThere: something could not be removed.
    """
    with Teardown(announce) as teardown:
        for resource in resources:
            if not resource.is_part:
                teardown.register(resource.what, partial(api.remove, resource))
            api.make(resource)
        yield


@contextmanager
def open_cloud(cloud: ModuleType, run: str, announce: Callable[[str], None]) -> Iterator[Config]:
    """Make what the module `account` of a cloud names, and yield what leads there; remove it."""
    name = f"{PREFIX}-{run}"
    account: Account = cloud.open_account(os.environ)
    code = package_app(cloud.PROVIDER, cloud.place(account, name))
    table: list[Resource] = cloud.resources(account, name, code)
    text = "\n".join(f"  {resource.what}" for resource in table)
    announce(
        f"{account.where}. About to be created:\n{text}\n"
        f"What can have a tag has {PREFIX}={name}; all of it is removed at the end."
    )
    with provisioned(account.api, table, announce):
        config: Config = cloud.configure(account, name)
        wait_for_delivery(config)
        yield config


def _is_ready(resource: Resource, document: Any) -> bool:
    if document is None or resource.state is None:
        return document is not None
    for field in resource.state.path:
        document = document.get(field, {})
    if document in resource.state.failed:
        raise Refusal(f"{resource.what}: {document}")
    return bool(document == resource.state.ready)


def _read(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}")
    except ValueError:
        return body.decode(errors="replace")[:500]
