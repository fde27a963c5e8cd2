"""What a target says about calling functions, and about queueing calls of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from leeward.adapter import TargetConfig
from leeward.adapter import options as reading
from leeward.adapter.hosts import check_token_goes_safely
from leeward.adapter.options import Found, find, place, refuse_idle
from leeward.errors import ConfigError
from leeward_google.settings.data import read_pubsub
from leeward_google.settings.endpoints import check_endpoint
from leeward_google.settings.services import NAME, Functions, Tasks, Topics, is_topic_name

EMAIL: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*"

_QUEUE: Final = r"projects/[a-z0-9.:-]+/locations/[a-z0-9-]+/queues/[A-Za-z0-9-]+"

_URL: Final = re.compile(
    r"(https?://[^/?#@\s{}]+)(/(?:(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+/?)*)?", re.IGNORECASE
)
"""An origin and a path, without escapes and without the steps ``.`` and ``..``."""

_SAMPLE: Final = "name"
"""A function's name, to see what a template makes of one."""


def read_functions(
    config: TargetConfig, project: str | None, region: str | None
) -> Functions | None:
    """Read what `invoke` needs; None where neither a URL nor a region is named.

    Raises:
        ConfigError: a setting is wrong.
    """
    template = find(config, "function_url")
    urls = reading.table(config, "functions")
    if template is None and not urls and region is None:
        options = "function_audience", "authenticate"
        refuse_idle(config, options, "function_url, functions or a region")
        return None
    authenticate = bool(config.options.get("authenticate", True))
    for name, url in urls.items():
        where = f"{name!r} of {place(config, 'functions')}"
        _check_url(Found(url, where), config, safely=authenticate)
    return Functions(
        _template(template, config, project, region, safely=authenticate),
        urls,
        region,
        _audience(config, authenticate=authenticate),
        authenticate,
    )


def _template(
    found: Found | None,
    config: TargetConfig,
    project: str | None,
    region: str | None,
    *,
    safely: bool,
) -> str | None:
    """Return the template with everything in its place but the function's name."""
    if found is None:
        return None
    url = found.value
    for part, value in (("project", project), ("region", region)):
        if f"{{{part}}}" in url and value is None:
            raise ConfigError(f"{found.where} has {{{part}}} in it: set {part} as well")
        url = url.replace(f"{{{part}}}", value or "")
    if NAME not in url:
        raise ConfigError(
            f"{found.where} must have {NAME} where the function's name goes, such as "
            "https://{region}-{project}.cloudfunctions.net/{name}; give a single function its URL "
            "in functions"
        )
    _check_url(Found(url.replace(NAME, _SAMPLE), found.where), config, safely=safely)
    return str(url)


def _check_url(found: Found, config: TargetConfig, *, safely: bool) -> None:
    parts = _URL.fullmatch(found.value)
    if parts is None:
        raise ConfigError(
            f"{found.where} must be a URL such as https://send-receipt-a1b2c3-uc.a.run.app, "
            "without user, query or escapes"
        )
    origin = reading.origin(Found(parts[1], found.where), "https://send-a1b2c3-uc.a.run.app")
    check_endpoint(config, "functions", origin, found.where)
    if safely:
        check_token_goes_safely(origin, found.where)


def _audience(config: TargetConfig, *, authenticate: bool) -> str | None:
    audience = find(config, "function_audience")
    if audience is not None and not authenticate:
        raise ConfigError(f"{audience.where} has no effect with authenticate = false")
    return reading.matching(audience, "[!-~]+", "a URL, or another text without white space")


def read_queued(config: TargetConfig, functions: Functions | None) -> Topics | Tasks:
    """Read what `enqueue` needs: Cloud Tasks where a queue is named, else Pub/Sub.

    Raises:
        ConfigError: a setting is wrong.
    """
    queue = find(config, "tasks_queue")
    if queue is None:
        refuse_idle(config, ("tasks_service_account", "tasks_endpoint"), "tasks_queue")
        origin, emulator = read_pubsub(config)
        return Topics(origin, emulator, _topics(config))
    refuse_idle(config, ("enqueue_topics",), "Pub/Sub: remove tasks_queue")
    if functions is None:
        raise ConfigError(
            f"{queue.where} goes with functions: set function_url, functions or a region"
        )
    name = reading.matching(
        queue, _QUEUE, "the whole name of a queue: projects/../locations/../queues/.."
    )
    origin = _tasks_origin(config)
    return Tasks(origin, name or "", _account(config, queue, functions))


def _topics(config: TargetConfig) -> Mapping[str, str]:
    topics = reading.table(config, "enqueue_topics")
    for name, topic in topics.items():
        if not is_topic_name(topic):
            raise ConfigError(
                f"{name!r} of {place(config, 'enqueue_topics')} is no name of a topic: 3 to 255 "
                "letters, digits and . _ ~ + % -, beginning with a letter and not with goog"
            )
    return topics


def _tasks_origin(config: TargetConfig) -> str:
    found = find(config, "tasks_endpoint")
    if found is None:
        return "https://cloudtasks.googleapis.com"
    origin = reading.origin(found, "https://cloudtasks.googleapis.com")
    check_endpoint(config, "cloudtasks", origin, found.where)
    check_token_goes_safely(origin, found.where)
    return origin


def _account(config: TargetConfig, queue: Found, functions: Functions) -> str | None:
    account = find(config, "tasks_service_account")
    if account is None and functions.authenticate:
        raise ConfigError(
            f"{queue.where} goes with tasks_service_account, the one that Cloud Tasks calls the "
            "function as; or with authenticate = false, where everybody may call it"
        )
    return reading.matching(account, EMAIL, "the e-mail address of a service account")
