"""One Nimbus account as a leeward driver: each call is one HTTP request."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote

import requests

from leeward.adapter import Capability, Driver, Limits, TargetConfig
from leeward.calls import Call, Result
from leeward.errors import ConfigError, Outcome
from leeward_nimbus.messages import READERS, Request, request_of
from leeward_nimbus.outcomes import Reader, result_of_answer, result_of_exception

THREADS = 32


class NimbusDriver(Driver):
    """One Nimbus account."""

    capabilities = frozenset(
        {
            Capability.INVOKE,
            Capability.PUBLISH,
            Capability.TABLES,
            Capability.CONDITIONS,
            Capability.EXPIRY,
        }
    )
    limits = Limits(payload_bytes=1024 * 1024, batch_events=25)

    def __init__(self, target: str, url: str, token: str) -> None:
        self.target = target
        self._url = url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._session.trust_env = False  # a netrc file would take the token's place
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._threads = ThreadPoolExecutor(THREADS, "nimbus")

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt, and wait no longer: requests itself times single receives only."""
        request = request_of(call)
        attempt = self._threads.submit(self._send, request, READERS[call.verb], timeout)
        try:
            return attempt.result(timeout)
        except TimeoutError as error:
            outcome = Outcome.LOCAL if attempt.cancel() else Outcome.AMBIGUOUS
            return Result(outcome, code="deadline", cause=error)

    def describe(self) -> Mapping[str, str]:
        """Return the address; never the token."""
        return {"url": self._url}

    def native(self, service: str) -> requests.Session:
        """Return the session, as ``http``."""
        if service != "http":
            raise ConfigError(f"{self.target} has no client of {service!r}; use http")
        return self._session

    def close(self) -> None:
        """Close threads and connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    def _send(self, request: Request, read: Reader, timeout: float) -> Result[Any]:
        path = "/".join(quote(part, safe="~:") for part in request.path)
        try:
            response = self._session.request(
                request.method,
                f"{self._url}/{path}",
                params=request.query,
                data=request.body,
                # Connecting gives up early, so that it is known that nothing was sent.
                timeout=(timeout / 2, timeout),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            return result_of_exception(error)
        return result_of_answer(response, read)


def open_driver(config: TargetConfig) -> NimbusDriver:
    """Open the account at the option ``url``, with ``NIMBUS_TOKEN`` or the option ``token``."""
    config.check_options({"url": str, "token": str})
    url = config.options.get("url", "")
    token = config.options.get("token") or config.env.get("NIMBUS_TOKEN")
    if not token or not url.startswith(("https://", "http://127.0.0.1:")):
        raise ConfigError(f"set NIMBUS_TOKEN, and an https url in {config.section}")
    return NimbusDriver(config.name, url.rstrip("/"), token)
