"""The options of a target, what libpq is told, and that no password is shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.pq import Conninfo

from leeward.adapter import TargetConfig
from leeward.adapter.options import table_of
from leeward.errors import ConfigError
from leeward_contract_tests.rows import each_row
from leeward_postgres.driver import open_driver
from leeward_postgres.settings import OPTIONS, parameters_of, settings_from
from tests.house.workspace import ROOT

URL = "postgresql://shop@db.example.com/shop"


def _config(options: Mapping[str, Any], *, trust_env: bool = True) -> TargetConfig:
    return TargetConfig("postgres:eu", "postgres", "eu", options, {}, trust_env)


@each_row(
    "options, words",
    [
        ({"url": "mysql://x"}, "must look like postgresql://"),
        ({"url": ""}, "is empty"),
        ({"url": URL, "sslmode": "maybe"}, "must be one of"),
        ({"url": f"{URL}?sslmode=require", "sslmode": "disable"}, "remove one of them"),
        ({"url": URL, "pool_size": 0}, "from 1 to 1000"),
        ({"url": URL, "schema": 'a"; DROP'}, "a name of letters"),
        ({"uri": URL}, "unknown key"),
    ],
)
def test_a_wrong_option_is_refused(options: Mapping[str, Any], words: str) -> None:
    """With the option and the remedy."""
    with pytest.raises(ConfigError, match=words):
        open_driver(_config(options))


_HERE = ("", "localhost", "127.0.0.1", "[::1]", "127.8.0.1", "%2Ftmp%2Fpg", "%2Ftmp,127.0.0.1")
_OFF = ("db.example.com", "10.0.0.7", "[fe80::1]", "127.1", "localhost,db.example.com", "0.0.0.0")
_LESS: tuple[dict[str, Any], ...] = ({}, {"gives_up": "identity"}, {"gives_up": "encryption"})
_NEEDED = {"encryption": ("disable", "allow", "prefer"), "identity": ("require", "verify-ca")}


def _mode_of(url: str, *, trust_env: bool = True, **options: Any) -> str | None:
    config = _config({"url": url, **options}, trust_env=trust_env)
    mode: str | None = parameters_of(settings_from(config)).get("sslmode")
    return mode


@each_row("host", _HERE)
def test_a_server_on_this_machine_needs_no_tls(host: str) -> None:
    """Whether it is reached by loopback or by a Unix socket; libpq decides as it does."""
    assert _mode_of(f"postgresql://shop:x@{host}/shop") is None
    assert _mode_of(f"postgresql://shop@{host}/shop", sslmode="disable") == "disable"
    assert _mode_of(f"postgresql://shop@{host}/shop?sslmode=prefer") == "prefer"


@each_row("host", _OFF)
def test_another_server_is_verified_unless_the_operator_gives_that_up(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a weaker mode is said; what is given up has a name, and covers no more than that."""
    url = f"postgresql://shop:x@{host}/shop"
    assert _mode_of(url) == _mode_of(url, gives_up="encryption") == "verify-full"
    for needed, modes in _NEEDED.items():
        for mode in modes:
            ways: list[tuple[str, dict[str, Any]]] = [(url, {"sslmode": mode})]
            ways += [(f"{url}?sslmode={mode}", {}), (f"{url}?ssl%6Dode={mode}", {}), (url, {})]
            for at, (text, options) in enumerate(ways):
                if at == len(ways) - 1:
                    monkeypatch.setenv("PGSSLMODE", mode)
                for less in _LESS:
                    if less.get("gives_up") in (needed, "encryption"):
                        assert _mode_of(text, **options, **less) == mode
                        continue
                    with pytest.raises(ConfigError, match=f'gives_up = "{needed}"') as caught:
                        open_driver(_config({"url": text, **options, **less}))
                    assert "sslmode of [targets" in str(caught.value)
            monkeypatch.delenv("PGSSLMODE")
    with pytest.raises(ConfigError, match="verify-full"):
        _mode_of(f"{url}?ssl=true")


def test_what_leads_elsewhere_is_verified(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The address goes before the name; a variable and a service may name another machine."""
    here = "postgresql://shop@localhost/shop"
    assert _mode_of(f"{here}?hostaddr=10.0.0.7") == "verify-full"
    assert _mode_of("postgresql://shop@db/shop?hostaddr=127.0.0.1") is None
    assert _mode_of("postgresql:///shop?service=shop") == "verify-full"
    assert _mode_of(f"{here}?service=shop") is None
    with pytest.raises(ConfigError, match="does not verify the server"):
        _mode_of("postgresql://db.example.com/shop?ssl=true", trust_env=False)
    monkeypatch.setenv("PGHOST", "localhost")
    assert _mode_of("postgresql:///shop?service=shop") == "verify-full"
    monkeypatch.setenv("PGHOST", "db.example.com")
    assert _mode_of("postgresql:///shop") == "verify-full"
    monkeypatch.delenv("PGHOST")
    (tmp_path / "services").write_text("[far]\nhost=db.example.com\nsslmode=require\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    monkeypatch.setenv("PGSERVICE", "far")
    assert _mode_of(here) is None
    with pytest.raises(ConfigError, match="does not verify the server"):
        _mode_of("postgresql:///shop")


def test_without_a_url_libpq_finds_everything() -> None:
    """Its variables and files say where the database is, so nothing of it is set here."""
    parameters = parameters_of(settings_from(_config({})))
    assert parameters == {
        "application_name": "leeward",
        "connect_timeout": 10,
        "target_session_attrs": "read-write",
    }


def test_what_the_url_or_a_variable_says_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over what is set where nobody says anything."""
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "3")
    url = f"{URL}?application_name=mine&target_session_attrs=any"
    parameters = parameters_of(settings_from(_config({"url": url})))
    assert parameters["application_name"] == "mine"
    assert parameters["target_session_attrs"] == "any"
    assert "connect_timeout" not in parameters


@each_row(
    "options, words",
    [
        ({}, "'url' is missing"),
        ({"url": URL, "sslmode": "require"}, "does not verify the server"),
        ({"url": f"{URL}?sslmode=prefer"}, "does not verify the server"),
        ({"url": "postgresql:///?service=shop"}, "names a service"),
    ],
)
def test_the_hardened_mode_verifies_and_reads_no_file(
    options: Mapping[str, Any], words: str
) -> None:
    """The server has to be named, and has to prove who it is."""
    with pytest.raises(ConfigError, match=words):
        settings_from(_config(options, trust_env=False))


def test_the_hardened_mode_leaves_libpq_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each parameter that has one is set, whatever the variable says."""
    monkeypatch.setenv("PGHOST", "evil.example.com")
    monkeypatch.setenv("PGSSLMODE", "disable")
    monkeypatch.setenv("PGPASSWORD", "theirs")
    settings = settings_from(_config({"url": URL}, trust_env=False))
    parameters = parameters_of(settings)
    variables = {
        each.keyword.decode()
        for each in Conninfo.get_defaults()
        if each.envvar is not None and each.keyword != b"service"
    }
    assert variables <= set(parameters)
    assert parameters["host"] == "db.example.com"
    assert not os.path.lexists(parameters["passfile"])
    assert parameters["sslcertmode"] == "disable"
    assert (parameters["sslmode"], parameters["sslrootcert"]) == ("verify-full", "system")
    assert "theirs" not in parameters.values()
    told = Conninfo.parse(" ".join(f"{k}='{v}'" for k, v in parameters.items()).encode())
    assert {each.keyword: each.val for each in told}[b"sslmode"] == b"verify-full"


def test_the_hardened_mode_refuses_the_variable_that_names_a_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """libpq would read its file, and cannot be told not to."""
    monkeypatch.setenv("PGSERVICE", "shop")
    with pytest.raises(ConfigError, match="PGSERVICE is set"):
        settings_from(_config({"url": URL}, trust_env=False))


SECRETS = (
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=30)
    .filter(lambda text: "\\" not in text and "'" not in text)
    .map("{}~7".format)
)
"""No name of leeward, and no part of `URL`, ends so."""


@given(secret=SECRETS, in_url=st.booleans(), is_broken=st.booleans(), trust_env=st.booleans())
def test_no_password_is_shown(secret: str, in_url: bool, is_broken: bool, trust_env: bool) -> None:
    """In no message and no representation, wherever the password stands."""
    options: dict[str, Any] = {"url": URL}
    if in_url:
        options["url"] = URL.replace("shop@", f"shop:{quote(secret, safe='')}@")
    else:
        options["password"] = secret
    if is_broken:
        options["url"] += "?no_such_parameter=1"
    config = _config(options, trust_env=trust_env)
    told = [repr(config)]
    try:
        settings = settings_from(config)
        driver = open_driver(config)
        told += [repr(settings), repr(driver), repr(vars(driver)), repr(driver.describe())]
    except ConfigError as error:
        told += [repr(error), repr(error.__cause__), repr(error.__context__)]
    assert [each for each in told if secret in each or quote(secret, safe="") in each] == []


def test_the_page_has_the_table_of_the_options() -> None:
    """As `make docs` writes it."""
    page = (ROOT / "docs/postgres.md").read_text(encoding="utf-8")
    assert f"\n\n{table_of(OPTIONS)}\n\n" in page.partition("\n## Settings\n")[2]
