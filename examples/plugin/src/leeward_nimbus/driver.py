"""One Nimbus account as a leeward driver: each call is one HTTP request."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote

import requests

from leeward import adapter as api
from leeward.adapter.items import EMBEDDED, decode, encode, escape_key
from leeward.cloudevents import to_json
from leeward.errors import ConfigError, Outcome, Unsupported
from leeward_nimbus.outcomes import STATUSES, answered, failed

CAN = api.Capability


class NimbusDriver(api.Driver):
    """One Nimbus account."""

    capabilities = frozenset({CAN.INVOKE, CAN.PUBLISH, CAN.TABLES, CAN.CONDITIONS, CAN.EXPIRY})
    limits = api.Limits(payload_bytes=1024 * 1024, batch_events=25)

    def __init__(self, target: str, url: str, token: str) -> None:
        self.target = target
        self._url = url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._session.trust_env = False  # a netrc file would take the token's place
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._threads = ThreadPoolExecutor(32, "nimbus")

    def perform(self, call: api.Call, timeout: float) -> api.Result[Any]:
        """Make one attempt, and wait no longer: requests itself times single receives only."""
        attempt = self._threads.submit(self._send, call, timeout)
        try:
            return attempt.result(timeout)
        except TimeoutError as error:
            outcome = Outcome.LOCAL if attempt.cancel() else Outcome.AMBIGUOUS
            return api.Result(outcome, code="deadline", cause=error)

    def _send(self, call: api.Call, timeout: float) -> api.Result[Any]:
        method, path, query, body = self._request(call)
        url = "/".join([self._url, *(quote(part, safe="~:") for part in path)])
        times = (timeout / 2, timeout)  # connecting gives up early, so that it can be told apart
        try:
            response = self._session.request(
                method, url, query, body, timeout=times, allow_redirects=False
            )
        except requests.RequestException as error:
            return failed(error)
        return answered(response, _READERS[call.verb])

    def _request(self, call: api.Call) -> tuple[str, list[str], dict[str, Any], bytes | None]:
        """Return method, path, query and body; requests leaves out what is None."""
        match call:
            case api.Invoke(function, payload, key):
                return "POST", ["functions", function], {"idempotency_key": key}, payload
            case api.Publish(bus, events):
                return "POST", ["buses", bus], {}, _json([to_json(event) for event in events])
            case api.Load(table, key):
                return "GET", _path(table, key), {}, None
            case api.Delete(table, key, now, revision):
                return "DELETE", _path(table, key), {"now": now, "if_revision": revision}, None
            case api.Store(table, key, item, write_id, now, expires, absent, revision):
                query = {"now": now, "expires": expires, "if_revision": revision}
                query["if_absent"] = absent or None
                body = encode(item, EMBEDDED, write_id=write_id, expires_at=expires)
                return "PUT", _path(table, key), query, _json(body)
            case _:
                raise Unsupported(f"{self.target} has no {call.verb}", target=self.target)

    def describe(self) -> Mapping[str, str]:
        """Return the address; never the token."""
        return {"url": self._url}

    def native(self, service: str) -> requests.Session:
        """Return the session, as ``http``."""
        if service != "http":
            raise ConfigError(f"no service {service!r} at {self.target}; known: http")
        return self._session

    def close(self) -> None:
        """Close threads and connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._session.close()


def _path(table: str, key: api.Key) -> list[str]:
    return ["tables", table, escape_key(*key.values)]


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _published(said: Any) -> tuple[api.Result[None], ...]:
    return tuple(api.Result(STATUSES.get(each, Outcome.AMBIGUOUS)) for each in said["statuses"])


def _stored(said: Any) -> api.Stored | None:
    if said is None:
        return None
    found = decode(said["item"], EMBEDDED)
    return api.Stored(found.item, said["revision"], found.write_id, found.expires_at, found.foreign)


_READERS = {
    "invoke": lambda said: said,
    "publish": _published,
    "store": lambda said: said["revision"],
    "load": _stored,
    "delete": lambda said: None,
}
"""How the value of each verb is taken out of a good answer."""


def open_driver(config: api.TargetConfig) -> NimbusDriver:
    """Open the account at the option ``url``, with ``NIMBUS_TOKEN`` or the option ``token``."""
    config.check_options({"url": str, "token": str})
    url = config.options.get("url", "")
    token = config.options.get("token") or config.env.get("NIMBUS_TOKEN")
    if not token or not url.startswith(("https://", "http://127.0.0.1:")):
        raise ConfigError(f'set NIMBUS_TOKEN, and an https url in [targets."{config.name}"]')
    return NimbusDriver(config.name, url.rstrip("/"), token)
