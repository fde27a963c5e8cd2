"""Where AWS's services answer.

Source: the endpoint rule sets and the list of partitions that botocore carries, for the services
used here. Endpoints of a single account (DynamoDB) and of several regions (EventBridge) are left
out: they need what no configuration here knows.
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

from leeward.adapter import TargetConfig
from leeward.adapter.hosts import check_host
from leeward.errors import ConfigError
from leeward.records import NamedTuple

ServiceName: TypeAlias = Literal[
    "lambda", "events", "dynamodb", "s3", "sqs", "states", "scheduler", "logs", "sts"
]
"""A service by the name that its hosts and its signatures bear."""


class _Partition(NamedTuple):
    prefix: str
    suffix: str
    dual_suffix: str


_PARTITIONS: Final = (
    _Partition("cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    _Partition("eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
    _Partition("us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    _Partition("us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    _Partition("eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    _Partition("us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
)

_LONGEST_LABEL: Final = 63
"""Characters of one label of a host's name (RFC 1035, 2.3.4)."""

_LABEL: Final = r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
_REGION: Final = r"[a-z]+(?:-[a-z]+)*-(?P<place>[a-z]+)-[0-9]+"
"""What every partition's `regionRegex` asks for at least."""

_PLACES: Final = (
    "central",
    *("north", "northeast", "northwest"),
    *("south", "southeast", "southwest"),
    *("east", "west"),
)
"""Where in an area every region so far says that it is."""

_COMMERCIAL: Final = _Partition("", "amazonaws.com", "api.aws")
"""What every other region belongs to. GovCloud's hosts end alike."""


def endpoint(
    service: ServiceName, region: str, *, fips: bool = False, dualstack: bool = False
) -> str:
    """Return the origin of `service` in `region`, such as ``https://lambda.eu-west-1.amazonaws.com``.

    A region that is newer than this list is placed by its prefix.

    Args:
        service: which one.
        region: such as ``eu-west-1``.
        fips: the host whose cryptography is validated by FIPS 140.
        dualstack: the host that answers on IPv6 too.

    Raises:
        ConfigError: `region` cannot be the name of a region.
    """
    check_region(region)
    partition = _partition_of(region)
    # Step Functions has one dual-stack host in GovCloud, which is validated.
    fips = fips or (service == "states" and dualstack and region.startswith("us-gov-"))
    host = f"{service}-fips" if fips and not _always_fips(service, region, dualstack) else service
    if service == "s3":
        dual = ".dualstack" if dualstack else ""
        return f"https://{host}{dual}.{region}.{partition.suffix}"
    return f"https://{host}.{region}.{partition.dual_suffix if dualstack else partition.suffix}"


def is_own_host(host: str, service: ServiceName, region: str) -> bool:
    """Return whether AWS answers for `service` in `region` under `host`.

    That is one of its own hosts, or the name that a private link gives them in a VPC, such as
    ``vpce-1a2b.lambda.us-east-1.vpce.amazonaws.com``. A suffix alone would not do: below
    ``amazonaws.com`` lie machines and buckets of everybody.
    """
    first, _, rest = host.partition(".")
    if re.fullmatch(r"vpce-[a-z0-9-]{1,58}", first):
        return rest == f"{service}.{region}.vpce.{_partition_of(region).suffix}"
    return f"https://{host}" in {
        endpoint(service, region, fips=fips, dualstack=dualstack)
        for fips in (False, True)
        for dualstack in (False, True)
    }


def check_endpoint(
    config: TargetConfig, service: ServiceName, region: str, origin: str, where: str
) -> None:
    """Refuse, in the hardened mode, an endpoint that nobody vouches for; see `check_host`."""
    is_own = not config.trust_env and is_own_host(origin.partition("://")[2], service, region)
    check_host(origin, where, config, is_own=is_own, whose=f"AWS's own for {service} in {region}")


def check_region(region: str, where: str = "the region") -> None:
    """Refuse a name that is not a region: it becomes part of a host's name.

    Raises:
        ConfigError: names `where` it came from.
    """
    if region.endswith("-global") and re.fullmatch(_LABEL, region):
        raise ConfigError(f"{where} must be one region, such as us-east-1; {region} is not")
    parts = re.fullmatch(_REGION, region) if len(region) <= _LONGEST_LABEL else None
    if parts is None:
        raise ConfigError(
            f"{where} must be the name of an AWS region, such as us-east-1, not {region[:80]!r}"
        )
    if parts["place"] not in _PLACES:
        from difflib import get_close_matches

        # What is nearly a place that regions have is a slip. Another word may be new, and passes.
        place = parts["place"]
        swapped = [name for name in _PLACES if sorted(name) == sorted(place)]
        near = swapped or get_close_matches(place, _PLACES, n=1, cutoff=0.75)
        if near:
            meant = region.replace(place, near[0])
            raise ConfigError(f"{where} names the region {region!r}; did you mean {meant!r}?")


def _partition_of(region: str) -> _Partition:
    return next((part for part in _PARTITIONS if region.startswith(part.prefix)), _COMMERCIAL)


def _always_fips(service: ServiceName, region: str, dualstack: bool) -> bool:
    """Return whether the plain host is the validated one, as some of GovCloud's are."""
    if service in ("events", "logs") and not dualstack:
        return region in ("us-gov-east-1", "us-gov-west-1")
    if service == "states" and not dualstack:
        return region == "us-gov-west-1"
    plain = service == "events" if dualstack else service in ("dynamodb", "sqs", "sts")
    return plain and region.startswith("us-gov-")
