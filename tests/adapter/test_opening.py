"""What every target of plans over HTTP has in common, from its options to its connections."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pytest

from leeward._http.options import TransportOptions
from leeward._http.wire import Wire, curl_wire
from leeward.adapter import Driver, Limits, TargetConfig, opening
from leeward.adapter.opening import LazyPlans, Plans
from leeward.adapter.options import Option, Values, read_options
from leeward.adapter.plans import Need, Plan, Planner, View
from leeward.adapter.resolver import ConfiguredFirst, Resolved, Source, Token
from leeward.adapter.wire import Transport
from leeward.calls import Delete, Key, Load, Result
from leeward.errors import ConfigError, Outcome
from leeward.registry import open_target

LEAST: dict[str, dict[str, Any]] = {
    "aws": {"region": "us-east-1", "profile": "dev"},
    "azure": {"function_app": "shop", "function_key": "key"},
    "google": {"project": "shop-1", "identity": "metadata"},
}
"""What is enough to open a target, also in the hardened mode."""

CLOUDS = pytest.mark.parametrize("cloud", LEAST)


def opened(
    cloud: str, env: Mapping[str, str] | None = None, *, trust_env: bool = True, **options: Any
) -> Driver:
    given = LEAST[cloud] | options
    return open_target(TargetConfig(cloud, cloud, None, given, env or {}, trust_env))


def shown(cloud: str, env: Mapping[str, str] | None = None, **options: Any) -> Mapping[str, str]:
    driver = opened(cloud, env, **options)
    driver.close()
    return driver.describe()


def rows(cloud: str) -> tuple[Option, ...]:
    options: tuple[Option, ...] = import_module(f"leeward_{cloud}.settings.options").OPTIONS
    return options


@CLOUDS
def test_every_option_says_what_it_means(cloud: str) -> None:
    """In one line, without a full stop; its needs and contradictions are options, too."""
    names = [row.name for row in rows(cloud)]
    assert len(names) == len(set(names))
    for row in rows(cloud):
        assert row.help
        assert not row.help.endswith(".")
        assert "\n" not in row.help
        assert row.key or row.variables
        others = row.excludes.split() + [each for need in row.needs for each in need.split(" or ")]
        assert set(others) <= set(names) - {row.name}


@CLOUDS
def test_the_transport_is_shown(cloud: str) -> None:
    """Certificates, the proxy without its password, places, and whether the environment counts."""
    env = {"HTTPS_PROXY": "http://user:canary@proxy:8080", "SSL_CERT_FILE": "/ca.pem"}
    found = shown(cloud, env)
    assert list(found.items())[-4:] == [
        ("ca_file", "/ca.pem"),
        ("proxy", "proxy:8080"),
        ("max_in_flight", "64"),
        ("trust_env", "true"),
    ]
    assert shown(cloud, env, ca_bundle="/own.pem")["ca_file"] == "/own.pem"
    assert "proxy" not in shown(cloud)


@CLOUDS
def test_the_places_for_calls_in_flight_are_an_option(
    cloud: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reaches the transport, and is a whole number within reason."""
    given: list[TransportOptions] = []

    def wire(options: TransportOptions) -> Wire:
        given.append(options)
        return curl_wire(options)

    monkeypatch.setattr(opening, "curl_wire", wire)
    assert shown(cloud, max_in_flight=7)["max_in_flight"] == "7"
    assert [each.max_in_flight for each in given] == [7]
    for number in (1, 10_000):
        assert shown(cloud, max_in_flight=number)["max_in_flight"] == str(number)
    for number in (0, -1, 10_001):
        with pytest.raises(ConfigError, match=r"'max_in_flight' in .* from 1 to 10,000"):
            opened(cloud, max_in_flight=number)
    for wrong in ("64", 6.4, True):
        with pytest.raises(ConfigError, match="'max_in_flight' in .* must be a int"):
            opened(cloud, max_in_flight=wrong)


@CLOUDS
@pytest.mark.row(14)
@pytest.mark.threat("S4")
def test_the_hardened_mode_reads_no_environment(
    cloud: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even one that the adapter is handed all the same, nor for what an option leaves open."""
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    hostile = {
        each: "http://evil.example:1" for row in rows(cloud) for each in row.variables.split()
    }
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE"):
        hostile[name] = "http://evil.example:1"
    hostile |= {"AWS_ACCESS_KEY_ID": "AKEVIL", "AWS_SECRET_ACCESS_KEY": "evil"}
    hostile |= {"IDENTITY_ENDPOINT": "http://evil.example", "IDENTITY_HEADER": "evil"}
    hostile |= {"GCE_METADATA_HOST": "evil.example"}
    module = import_module(f"leeward_{cloud}.settings.options")
    configs = [
        TargetConfig(cloud, cloud, None, LEAST[cloud], env, trust_env=False)
        for env in (hostile, {})
    ]
    first, second = map(module.settings_from, configs)
    assert first == second
    assert "evil" not in repr(first)
    assert shown(cloud, hostile, trust_env=False) == shown(cloud, trust_env=False)


@CLOUDS
def test_opening_touches_no_environment_but_to_refuse_a_log_of_keys(
    cloud: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a target is handed is all that counts, and the process's own is left alone."""
    monkeypatch.setenv("HTTPS_PROXY", "http://own.example:1")
    before = dict(os.environ)
    assert "proxy" not in shown(cloud)
    assert dict(os.environ) == before


def test_plans_are_made_when_a_verb_needs_them() -> None:
    """From the whole settings or from one of them; verbs without theirs are not there."""

    class Settings:
        here, gone = "here", None

    made: list[object] = []

    def maker(setting: object) -> Mapping[str, Any]:
        made.append(setting)
        return {"store": 1, "load": 2}

    settings = Settings()
    plans = LazyPlans(
        (
            Plans("store load", maker, "here"),
            Plans("scan", maker, "gone"),
            Plans("path", "os:fspath"),
        ),
        settings,
    )
    assert list(plans) == ["store", "load", "path"]
    assert "scan" not in plans
    assert plans.get("scan") is None
    assert made == []
    found: list[object] = [plans["load"], plans["store"]]
    assert found == [2, 1]
    assert made == ["here"]


@pytest.mark.parametrize(
    ("maker", "told"),
    [
        ("no_such_package.plans:plans", "ModuleNotFoundError"),
        ("os:no_such_function", "AttributeError"),
        (lambda _: {"load": 1}, "KeyError"),
    ],
)
def test_plans_that_cannot_be_had_are_a_mistake_and_named(maker: Any, told: str) -> None:
    """Nothing was sent, so nobody has to find out whether the call ran."""
    with pytest.raises(ConfigError, match=rf"gives no plan of store: {told}"):
        LazyPlans([Plans("store load", maker)], {})["store"]


def test_an_adapter_may_have_no_class_for_its_settings() -> None:
    """Then the values of its options are what plans and source are made with."""
    options = (Option("url", "where"), *opening.http_options("STRATUS_CA_BUNDLE"))
    given = {"url": "https://a", "max_in_flight": 3}
    config = TargetConfig("stratus", "stratus", None, given, {"STRATUS_CA_BUNDLE": "/own.pem"})
    made: list[object] = []

    def source(settings: Values, _: TargetConfig, __: Transport) -> Source:
        made.append(settings)
        return ConfiguredFirst(lambda _: None, Resolved)

    values = read_options(config, options)
    driver = opening.open_plan_driver(
        config, values, [], source=source, capabilities=(), limits=Limits(), describe={}
    )
    driver.close()
    assert made == [values]
    shown = driver.describe()
    assert (shown["max_in_flight"], shown["ca_file"]) == ("3", "/own.pem")
    with pytest.raises(ConfigError, match="stratus has no client of 'store'"):
        driver.native("store")


def test_an_adapter_whose_plans_need_nothing_has_no_source() -> None:
    """One that needs something all the same is told so, and nothing is sent."""

    def plan(call: Load | Delete, _: View) -> Plan:
        if isinstance(call, Delete):
            yield Need(Token("stratus"))
        return Result.ok("as it is")

    def plans(_: object) -> dict[str, Planner]:
        return {"load": plan, "delete": plan}

    config = TargetConfig("stratus", "stratus", None, {}, {})
    driver = opening.open_plan_driver(
        config,
        read_options(config, opening.http_options("STRATUS_CA_BUNDLE")),
        [Plans("load delete", plans)],
        capabilities=(),
        limits=Limits(),
        describe={},
    )
    key = Key(("id",), ("1",))
    assert driver.perform(Load("carts", key), 1.0).value == "as it is"
    refused = driver.perform(Delete("carts", key, 0.0), 1.0)
    driver.close()
    assert (refused.outcome, refused.code) == (Outcome.AUTH, "no_source")
