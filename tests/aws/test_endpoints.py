from __future__ import annotations

import re
from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.errors import ConfigError
from leeward_aws.settings.endpoints import ServiceName, check_region, endpoint
from leeward_contract_tests.rows import each_row
from tests.aws import oracle

SERVICES: tuple[ServiceName, ...] = get_args(ServiceName)
REGIONS = [region for each in oracle.partitions() for region in each["regions"]]
PREFIXES = [
    "us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx",
    "cn", "us-gov", "us-iso", "us-isob", "eu-isoe", "us-isof", "eusc-de",
]  # fmt: skip


def test_every_known_region_resolves_as_in_botocore() -> None:
    """Every service, region, FIPS and dual-stack setting gives the host that botocore gives."""
    regions = [region for region in REGIONS if not region.endswith("-global")]
    assert len(regions) > 40
    for service, region, fips, dualstack in product(
        SERVICES, regions, (False, True), (False, True)
    ):
        ours = endpoint(service, region, fips=fips, dualstack=dualstack)
        assert oracle.endpoint(service, region, fips, dualstack) in (ours, None)


@given(
    st.sampled_from(SERVICES),
    st.sampled_from(PREFIXES),
    st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12),
    st.integers(0, 30),
    st.booleans(),
    st.booleans(),
)
def test_unknown_regions_resolve_as_in_botocore(
    service: ServiceName, prefix: str, place: str, number: int, fips: bool, dualstack: bool
) -> None:
    """A region that neither list has yet goes to the partition of its prefix."""
    region = f"{prefix}-{place}-{number}"
    ours = endpoint(service, region, fips=fips, dualstack=dualstack)
    assert oracle.endpoint(service, region, fips, dualstack) in (ours, None)


def test_no_partition_is_missing() -> None:
    """Every partition that botocore knows is among the prefixes that these tests draw from."""
    for partition in oracle.partitions():
        pattern = partition["regionRegex"]
        assert any(re.fullmatch(pattern, f"{prefix}-x-1") for prefix in PREFIXES), partition["id"]


@each_row("region", [each for each in REGIONS if each.endswith("-global")])
def test_pseudo_regions_are_refused(region: str) -> None:
    """The services used here have no host for a whole partition."""
    with pytest.raises(ConfigError, match="one region"):
        endpoint("lambda", region)


BAD = [
    "", "-", "us-east-1.", "us-east-1.evil.example", "evil.example/", "evil.example#", "a@evil",
    "us-east-1\n", "us east", "us_east_1", "US-EAST-1", "-us", "us-", "us-east-1:80", "[::1]", "1",
    "a" * 64, "useast1", "us-east", "virginia",
    "us-east-1a", "1-east-1", "régión", "us-east-1%2f",
    "us-east-1\\", "us-east-1\0", "\uff55\uff53-east-1", "a?b",
]  # fmt: skip


@each_row("region", BAD)
def test_a_region_cannot_smuggle_in_a_host(region: str) -> None:
    """What is no plain label of a host's name is refused."""
    with pytest.raises(ConfigError, match="name of an AWS region"):
        endpoint("dynamodb", region)


@pytest.mark.parametrize(
    ("region", "meant"),
    [("us-esat-1", "us-east-1"), ("eu-wset-1", "eu-west-1"), ("ap-southeats-2", "ap-southeast-2")],
)
def test_a_misspelt_region_is_no_outage(region: str, meant: str) -> None:
    """It is refused at once, with the name that was meant."""
    with pytest.raises(ConfigError, match=f"second part.*did you mean '{meant}'"):
        check_region(region, "the second part of 'aws'")
    check_region(f"us-{region[3:5]}x-9")  # what is like nothing may be new


@given(st.text(max_size=12) | st.text("abz019-._:/@#?\\%\r\n ", max_size=12))
def test_whatever_passes_is_one_label(region: str) -> None:
    """A region either is refused or stays between two dots of the host's name."""
    try:
        origin = endpoint("lambda", region)
    except ConfigError:
        return
    assert re.fullmatch(r"https://lambda\.[a-z0-9-]{1,63}\.amazonaws\.com(\.cn)?", origin)
