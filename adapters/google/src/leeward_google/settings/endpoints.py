"""Where Google's services answer, and which hosts a target may name."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

from leeward.adapter import TargetConfig
from leeward.adapter.hosts import check_host, check_token_goes_safely, origin_of
from leeward.adapter.options import Option, Setting, Values

Service: TypeAlias = Literal[
    "cloudfunctions",
    "cloudtasks",
    "firestore",
    "functions",
    "iamcredentials",
    "logging",
    "pubsub",
    "storage",
    "sts",
    "workflowexecutions",
]
"""Who is asked: an API by its name in front of ``googleapis.com``, or a function."""

_NAMES: Final[dict[Service, str]] = {
    "cloudfunctions": "the Cloud Functions API",
    "cloudtasks": "Cloud Tasks",
    "firestore": "Firestore",
    "functions": "Cloud Run and Cloud Functions",
    "iamcredentials": "IAM credentials",
    "logging": "Cloud Logging",
    "pubsub": "Pub/Sub",
    "storage": "Cloud Storage",
    "sts": "the Security Token Service",
    "workflowexecutions": "the Workflow Executions API",
}

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"

_FUNCTION_HOST: Final = rf"(?:{_LABEL}\.)*{_LABEL}\.(?:run\.app|cloudfunctions\.net)"


def endpoint(service: Service) -> str:
    """Return the origin of an API."""
    return f"https://{service}.googleapis.com"


def endpoint_option(
    name: str, service: Service, needs: tuple[str, ...] = (), excludes: str = ""
) -> Option:
    """Return the option that names another origin of an API."""
    help_ = f"another endpoint of {_NAMES[service]}"

    def check(setting: Setting, values: Values) -> str:
        origin = origin_of(setting, endpoint(service))
        check_endpoint(values.config, service, origin, setting.where)
        check_token_goes_safely(origin, setting.where)
        return origin

    return Option(
        name, help_, check=check, default=endpoint(service), needs=needs, excludes=excludes
    )


def check_emulator(setting: Setting, _: Values) -> str:
    """Return the origin of an emulator, whose variable usually names the host alone."""
    bare = setting.value if "://" in setting.value else f"http://{setting.value}"
    return origin_of(setting._replace(value=bare), "127.0.0.1:8085")


def check_endpoint(config: TargetConfig, service: Service, origin: str, where: str) -> None:
    """Refuse, in the hardened mode, an endpoint that nobody vouches for; see `check_host`."""
    is_own = is_own_host(origin.partition("://")[2], service)
    check_host(origin, where, config, is_own=is_own, whose=f"Google's own for {_NAMES[service]}")


def is_own_host(host: str, service: Service) -> bool:
    """Return whether Google itself answers under `host` for `service`.

    An API has its own name, perhaps with a region in front of it or behind it, or the word for
    client certificates, and no other: below ``storage.googleapis.com`` there are hosts for
    the files of all tenants.
    """
    if service == "functions":
        return re.fullmatch(_FUNCTION_HOST, host) is not None
    pattern = rf"(?:{_LABEL}-)?{service}(?:\.mtls|\.{_LABEL}\.rep)?\.googleapis\.com"
    return re.fullmatch(pattern, host) is not None
