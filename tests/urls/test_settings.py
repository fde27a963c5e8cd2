"""The settings of functions by URL: what is called, what goes along, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leeward import Client, NotFound, TargetUnavailable, Unsupported
from leeward.adapter import Capability
from leeward.config import Config, FunctionConfig
from leeward.errors import ConfigError
from leeward_contract_tests.rows import each_row
from leeward_http.functions import find_location
from leeward_http.settings import OPTIONS, settings_from
from tests.urls.served import config_of, target

URL = "https://functions.example/v1/{function}"


def test_a_function_has_its_own_url_or_that_of_the_template() -> None:
    """Also by the target's own name of it, which may be the URL itself."""
    config = config_of(url=URL, functions={"ship": "https://SHIP.example:443/go?v=2"})
    names = {"charge": "https://pay.example/charge", "refund": "give-back"}
    settings = settings_from(config._replace(functions=names))
    found = {
        name: (place.address.origin, place.address.target)
        for name in ("ship", "https://pay.example/charge", "give-back", "other")
        if (place := find_location(settings, name)) is not None
    }
    assert found == {
        "ship": ("https://ship.example", "/go?v=2"),
        "https://pay.example/charge": ("https://pay.example", "/charge"),
        "give-back": ("https://functions.example", "/v1/give-back"),
        "other": ("https://functions.example", "/v1/other"),
    }


@pytest.mark.threat("S1")
@each_row(
    "name", ["https://evil.example/x", "../admin", "..", "a/b", "a?b", "a#b", "a%2fb", "é", ""]
)
def test_a_name_is_never_a_url_nor_another_path(name: str) -> None:
    """Whatever a program passes on as a name: only what is configured is called."""
    assert find_location(settings_from(config_of(url=URL)), name) is None


def test_a_function_without_a_url_is_not_found() -> None:
    """Nothing is sent, and the remedy is told."""
    config = Config(options={"http": {"functions": {"ship": "https://ship.example/"}}})
    with (
        Client("http", config=config) as client,
        pytest.raises(NotFound, match="no URL is configured.*functions"),
    ):
        client.invoke("https://evil.example/")


def test_without_urls_calls_are_refused_early() -> None:
    """The message names the keys; queued calls and data there never are."""
    driver = target()
    assert driver.capabilities == frozenset()
    with Client("http", config=Config()) as client:
        with pytest.raises(Unsupported, match=r"set url or functions in \[targets"):
            client.invoke("charge")
        with pytest.raises(Unsupported, match="does not support enqueue"):
            client.enqueue("charge")
    assert target(url=URL).capabilities == {Capability.INVOKE}


WRONG = [
    ({"url": "https://pay.example/charge"}, "'url'.*{function} in its path"),
    ({"url": "https://{function}.example/"}, "'url'.*{function} in its path"),
    ({"url": "https://pay.example/?f={function}"}, "'url'.*{function} in its path"),
    ({"url": "http://pay.example/{function}"}, "https URL.*allow_http = true"),
    ({"functions": {"a": "ftp://pay.example/"}}, "'a' of 'functions'.*must be a URL"),
    ({"functions": {"a": "https://user:secret@pay.example/"}}, "without user"),
    ({"functions": {"a": "https://pay.example/#b"}}, "without user and fragment"),
    ({"url": URL, "health": "pay.example"}, "'health'.*must be a URL"),
    ({"url": URL, "token": "two words"}, "'token'.*white space"),
    ({"url": URL, "token": "t", "token_file": "/t"}, "exclude each other"),
    ({"url": URL, "token_variable": "NOT_SET"}, "names a variable that is not set"),
    ({"url": URL, "token_file": "/nowhere/token"}, "'token_file'.*cannot be read"),
    ({"url": URL, "token_header": "X-Key"}, "has no effect without token"),
    ({"url": URL, "token": "t", "token_header": "Host"}, "header 'host': remove it"),
    ({"url": URL, "headers": {"Authorization": "Basic x"}}, "'authorization': use token"),
    ({"url": URL, "headers": {"x-leeward-call": "x"}}, "cannot be sent"),
    ({"url": URL, "headers": {"a b": "x"}}, "cannot be sent"),
    ({"url": URL, "headers": {"a": "x\r\ny: z"}}, "must be visible ASCII"),
    ({"url": URL, "client_key": "/k"}, "no effect without client_certificate"),
    ({"url": URL, "client_certificate": "/nowhere/c"}, "'client_certificate'.*cannot be read"),
    ({"url": URL, "refusals": {"a": "500"}}, "no other proves that nothing ran"),
    ({"url": URL, "refusals": {"a": "429,503"}}, "with blanks between"),
    ({"functions": {"b": "https://b.example/"}, "refusals": {"a": "429"}}, "'a'.*has no URL"),
    ({"url": "http://10.0.0.1/{function}", "allow_http": True, "token": "t"}, "in clear text"),
    ({"urls": URL}, "unknown key 'urls'.*did you mean 'url'"),
]


@each_row("options, told", WRONG)
def test_what_is_wrong_is_refused_before_anything_is_sent(
    options: dict[str, Any], told: str
) -> None:
    """The message names the key and the remedy, and never a value that may be a secret."""
    with pytest.raises(ConfigError, match=told) as raised:
        target(**options)
    assert "secret" not in str(raised.value)


@pytest.mark.threat("S4")
@each_row(
    "options, told",
    [
        ({"url": "http://127.0.0.1/{function}"}, "must be an https URL, because trust_env"),
        ({"url": URL, "allow_http": True}, "cannot be true while trust_env is false"),
        ({"url": URL, "token_variable": "TOKEN"}, "name a token_file"),
    ],
)
def test_the_hardened_mode_takes_nothing_from_the_environment(
    options: dict[str, Any], told: str
) -> None:
    """And sends nothing in clear text, not even on this machine."""
    with pytest.raises(ConfigError, match=told):
        settings_from(config_of(**options)._replace(trust_env=False))


def test_a_url_in_the_names_of_a_function_is_checked_when_the_target_is_opened() -> None:
    """The message names the section that it stands in."""
    names = FunctionConfig(names={"http": "http://pay.example/charge"})
    with pytest.raises(ConfigError, match=r"'charge' on http in \[functions.charge.names\]"):
        Client("http", config=Config(functions={"charge": names}))


@pytest.mark.threat("S8")
def test_secrets_are_in_no_repr_and_no_setting(tmp_path: Path) -> None:
    """Neither the token nor a header, nor the path and the query of a URL, which may be keys."""
    (tmp_path / "token").write_text("a-secret")
    options = [
        {"token": "a-secret"},
        {"token_file": str(tmp_path / "token")},
        {"token_variable": "TOKEN"},
    ]
    for given in options:
        config = config_of(
            url="https://pay.example/a-secret/{function}?code=a-secret",
            headers={"X-Key": "a-secret"},
            **given,
        )
        config = config._replace(env={"TOKEN": "a-secret"})
        settings = settings_from(config)
        driver = target(**config.options) if "token_variable" not in given else None
        shown = f"{settings!r} {settings.identity!r} {driver and dict(driver.describe())}"
        assert "a-secret" not in shown, given
        place = find_location(settings, "charge")
        assert place is not None
        assert "a-secret" not in repr(place)


@pytest.mark.threat("S8")
def test_a_url_with_a_key_in_it_is_in_no_message(caplog: pytest.LogCaptureFixture) -> None:
    """A call fails under the function's logical name."""
    names = FunctionConfig(names={"http": "http://127.0.0.1:1/charge?code=a-secret"})
    config = Config(functions={"charge": names})
    with (
        caplog.at_level("DEBUG"),
        Client("http", config=config) as client,
        pytest.raises(TargetUnavailable, match="'charge'") as raised,
    ):
        client.invoke("charge")
    assert "a-secret" not in f"{raised.value} {raised.value!r} {caplog.text}"


def test_every_option_says_what_it_means() -> None:
    """For the table of the page."""
    assert all(option.help for option in OPTIONS)
