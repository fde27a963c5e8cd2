"""Who comes from a home-made client and uses its names is told leeward's own."""

from __future__ import annotations

import re
from typing import Any

import pytest

import leeward
from leeward import AsyncClient, Client
from leeward.local import Local
from leeward.usual_names import NAMES
from leeward_contract_tests.rows import each_row
from tests.house.workspace import ROOT


def test_an_import_of_the_usual_class_names_the_client() -> None:
    """The message of the ImportError says what to import."""
    with pytest.raises(ImportError, match=r"CloudAgnosticServerless.*use `leeward.Client`"):
        exec("from leeward import CloudAgnosticServerless")
    with pytest.raises(ImportError, match=r"use `leeward.Client`"):
        leeward.CloudAgnosticServerless  # noqa: B018 - the look-up itself fails


def test_another_name_is_missing_as_usual() -> None:
    """Whoever looks whether a name is there gets the usual answer."""
    assert not hasattr(leeward, "Cleint")
    with pytest.raises(ImportError, match="cannot import name 'Cleint'"):
        exec("from leeward import Cleint")


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@each_row(
    "usual, own",
    [
        ("invoke_function", "Client.invoke"),
        ("invoke_function_async", "Client.enqueue"),
        ("get_data", "Client.load_data"),
    ],
)
def test_a_usual_method_names_the_client_s_own(
    kind: type[Client | AsyncClient], usual: str, own: str
) -> None:
    """It is still an AttributeError."""
    client: Any = kind(Local())
    with pytest.raises(AttributeError, match=f"'{kind.__name__}'.*{usual!r}; use `{own}`"):
        getattr(client, usual)
    assert not hasattr(client, "inwoke")


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_usual_argument_names_the_client_s_own(kind: Any) -> None:
    """It is still a TypeError, and so is any other argument that is not there."""
    with pytest.raises(TypeError, match=r"'provider'; use .*CLOUD_PROVIDER.*`targets`"):
        kind(provider="aws")
    with pytest.raises(TypeError, match="unexpected keyword argument 'providr'"):
        kind(providr="aws")


def test_the_page_explains_every_usual_name() -> None:
    """Each has a row that names both."""
    rows = (ROOT / "docs/names.md").read_text(encoding="utf-8").splitlines()
    for usual in NAMES:
        assert [row for row in rows if re.match(rf"\| `[^`]*\b{usual}\b", row)]
