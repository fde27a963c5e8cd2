"""The login of a proxy reaches no message, no cause and no log, whatever is wrong with its URL."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward import Client, Config, ConfigError, LeewardError
from leeward._http.connection import Connection
from leeward._http.libcurl import handle_for
from leeward._http.messages import Failure, Request
from leeward._http.options import (
    PROXIES,
    TransportOptions,
    check_proxy,
    options_from_env,
    without_login,
)
from leeward.adapter import TargetConfig
from leeward.registry import open_target
from tests.http.bridge import AnyTransport
from tests.http.wire import LIMIT, Wire, hang

pytestmark = [pytest.mark.row(6), pytest.mark.threat("S8")]

SECRET = "c4n4ry"

WRONG = [
    f"http://user:{SECRET}/more@host:8080",
    f"http://user:{SECRET}?@host",
    f"http://user:{SECRET}#@host",
    f"http://user:{SECRET}@more@host",
    f"http://user:{SECRET} @host",
    f"http://user:{SECRET}\n@host",
    f"http://user:{SECRET}%@host",
    f"http://user:{SECRET}%2@host",
    f"http://user:{SECRET}ü@host",
    f"http://user:{SECRET}@",
    f"http://user:{SECRET}@host:0",
    f"http://user:{SECRET}@host:99999",
    f"http://user:{SECRET}@host:port",
    f"http://user:{SECRET}@host/path",
    f"http://user:{SECRET}@[::1",
    f"http:/user:{SECRET}@host",
    f"ftp://user:{SECRET}@host",
    f"http://host\\@{SECRET}",
    f"//{SECRET}@host",
    SECRET + "\0",
    f"http://{SECRET}@h\u00f6st",
    " ",
]
RIGHT = [
    "proxy", "proxy:3128", "http://proxy:3128/", "HTTP://proxy", "socks5h://[::1]:1080",
    "https://user:pa%2Fss%40@10.0.0.1:8080", "user@proxy", "http://@proxy", "http://u:@proxy",
]  # fmt: skip


def everything(error: BaseException) -> str:
    """Give all that a log could hold of an error: its causes and what their frames hold, too."""
    lines = traceback.TracebackException.from_exception(error, capture_locals=False).format()
    causes: list[object] = []
    each: BaseException | None = error
    while each is not None:
        causes += [repr(each), str(each), each.args]
        each = each.__cause__ or each.__context__
    return f"{''.join(lines)} {causes}"


@pytest.mark.parametrize("variable", PROXIES)
def test_a_wrong_proxy_is_refused_when_a_target_is_opened(variable: str) -> None:
    """By the name of its variable, with the remedy, and without its value."""
    for url in WRONG:
        config = TargetConfig("aws:us-east-1", "aws", "us-east-1", {}, {variable: url})
        with pytest.raises(ConfigError, match=f"^{variable} is not the URL of a proxy; ") as caught:
            open_target(config)
        assert SECRET not in everything(caught.value)
    for url in RIGHT:
        assert options_from_env({variable: url}).proxy == url


def test_a_transport_takes_no_wrong_proxy(make: Callable[..., AnyTransport], ca_file: str) -> None:
    """Threads and tasks: nothing is sent, and libcurl is not asked."""
    transport = make(proxy=f"http://user:{SECRET} @127.0.0.1", ca_file=ca_file)
    with pytest.raises(ConfigError, match="^the proxy is not the URL") as caught:
        transport.send(Request("GET", "https://host", "/"), LIMIT)
    assert SECRET not in everything(caught.value)
    for url in WRONG:
        with pytest.raises(ConfigError, match="^the proxy is not the URL") as caught:
            handle_for("https://host", TransportOptions(proxy=url, ca_file=ca_file))
        assert SECRET not in everything(caught.value)


def test_what_libcurl_says_of_a_proxy_tells_no_login(
    make: Callable[..., AnyTransport], ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it may say; threads and tasks. Without a login in it, its words are kept."""
    with Wire(hang) as wire:
        gone = f"127.0.0.1:{wire.port}"
    real = Connection.fail_to_connect
    for login in (f"user:{SECRET}", f"{SECRET}:", quote(f"us/er:{SECRET}@", safe=":")):
        url = f"http://{login}@{gone}"
        answer = make(proxy=url, ca_file=ca_file).send(Request("GET", "https://host", "/"), LIMIT)
        assert isinstance(answer, Failure)
        assert answer.cause is not None
        assert SECRET not in everything(answer.cause)

        def talkative(self: Connection, exchange: object, code: int, words: str) -> None:
            real(self, exchange, code, f"{words} in {url}")  # type: ignore[arg-type] # noqa: B023

        monkeypatch.setattr(Connection, "fail_to_connect", talkative)
        answer = make(proxy=url, ca_file=ca_file).send(Request("GET", "https://host", "/"), LIMIT)
        monkeypatch.setattr(Connection, "fail_to_connect", real)
        assert isinstance(answer, Failure)
        assert answer.cause is not None
        assert "left out" in everything(answer.cause)
        assert SECRET not in everything(answer.cause)
    assert without_login("no route to proxy", "http://user:pass@proxy") == "no route to proxy"
    assert without_login("anything", None) == "anything"


def test_an_error_of_the_client_tells_no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the variable to the exception that a program sees."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    for url in (WRONG[0], f"http://user:{SECRET}@127.0.0.1:1"):
        monkeypatch.setenv("HTTPS_PROXY", url)
        with pytest.raises(LeewardError) as caught:
            Client("aws:us-east-1", config=Config()).invoke("f", effect="read_only", timeout=5)
        assert SECRET not in everything(caught.value)


@given(st.text(max_size=40) | st.from_regex(r"https?://[!-~]{0,20}@[!-~]{0,20}", fullmatch=True))
def test_any_text_is_a_proxy_or_is_refused_by_name(text: str) -> None:
    """And libcurl, which takes it over, has nothing to add."""
    with suppress(ConfigError):
        check_proxy(text, "the variable")
        options = TransportOptions(proxy=text, ca_file=__file__)
        handle_for("https://host", options).close()
