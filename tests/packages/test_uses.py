"""What a handler uses is learnt from its code, or said to be unknown; it is never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leeward import App
from leeward_contract_tests.rows import each_row
from leeward_deploy.commands.package import PackageRequest, spec_of
from leeward_deploy.entry import load_app
from leeward_deploy.recipe import Entry, PackageSpec, Rights
from leeward_deploy.rights import Learnt, rights_of
from leeward_deploy.settings import read_settings
from leeward_deploy.uv import PackageSource
from tests.packages.exported import SHOP, config_of, example

FILE = """
[functions.charge]
[functions.mails]
[buses.orders]
[tables.orders]
[tables.stock]
[buckets.scans]
[workflows.flow]
definition = "m:flow"
"""

START = """
from functools import partial
from leeward import App, Client
app = App("shop")
TABLE = "orders"
def cloud() -> Client: return app.client()
"""


def learnt(folder: Path, code: str, more: str = "", **modules: str) -> Learnt:
    """Give what the handlers of a module use."""
    source = folder / "source"
    source.mkdir(exist_ok=True, mode=0o755)
    texts = {"shop": START + code, **modules}
    for name, text in texts.items():
        (source / f"{name}.py").write_text(text)
    app: App = load_app(source, Entry("shop", "app"))
    config = config_of(folder, FILE + more)
    return rights_of(app, config, read_settings(config), texts, "shop")


def used(rights: Rights) -> dict[str, str]:
    """Give what is not empty."""
    return {right: " ".join(sorted(names)) for right, names in rights._asdict().items() if names}


@each_row(
    "body, uses",
    {
        "a text": ('cloud().load_data("orders", "1")', {"reads": "orders"}),
        "a constant": ('cloud().store_data(TABLE, {"id": "1"})', {"stores": "orders"}),
        "by name": ('cloud().load_data(key="1", table="stock")', {"reads": "stock"}),
        "a list": (
            'for each in ("orders", "stock"):\n        cloud().delete_data(each, "1")',
            {"removes": "orders stock"},
        ),
        "either": (
            'cloud().load_data("orders" if value else "stock", "1")',
            {"reads": "orders stock"},
        ),
        "a variable": ('name = "stock"\n    cloud().load_data(name, "1")', {"reads": "stock"}),
        "what a caller passes": ('keep("orders")\n    keep("stock")', {"stores": "orders stock"}),
        "by way of two": ('twice("stock")', {"stores": "stock"}),
        "a default": ("keep_usual()", {"stores": "stock"}),
        "a partial": ('partial(keep, "orders")()', {"stores": "orders"}),
        "a method": ("Shelf().fill()", {"stores": "stock"}),
        "a table of functions": ('DOES["b"]()', {"publishes": "orders"}),
        "events, calls": (
            'cloud().publish_event("orders", "a", {}); cloud().invoke("charge", 1)',
            {"publishes": "orders", "calls": "charge"},
        ),
        "queues, runs": (
            'cloud().enqueue("mails", 1); cloud().start_workflow("flow", 1, id="1")',
            {"calls": "mails", "starts": "flow"},
        ),
        "a handler itself": ("cloud().invoke(other, 1)", {"calls": "other"}),
        "objects": (
            'cloud().get_object("scans", "a")\n    cloud().delete_object("scans", "a")',
            {"gets": "scans", "deletes": "scans"},
        ),
        "nothing": ("return value", {}),
    },
)
def test_what_the_code_shows_is_used(tmp_path: Path, body: str, uses: dict[str, str]) -> None:
    """However the name gets there; and nothing else is."""
    code = f"""
def keep(table): cloud().store_data(table, {{"id": "1"}})
def keep_usual(table="stock"): cloud().store_data(table, {{"id": "1"}})
def twice(name): keep(name)
class Shelf:
    def fill(self): cloud().store_data("stock", {{"id": "1"}})
def tell(): cloud().publish_event("orders", "a", {{}})
DOES = {{"b": tell}}
@app.function()
def other(value): ...
@app.function()
def make(value):
    {body}
"""
    found = learnt(tmp_path, code)
    assert used(found.rights["make"]) == uses
    assert found.notes == ()
    assert used(found.rights["other"]) == {}


@each_row(
    "body, right, told",
    {
        "what arrives": ("cloud().load_data(value, '1')", "reads", "table of load_data() does not"),
        "a text that is put together": (
            "cloud().load_data('or' + 'ders', '1')",
            "reads",
            "does not show (shop, line 9)",
        ),
        "a verb that is passed on": (
            "run(cloud().store_data)",
            "stores",
            "store_data is passed on",
        ),
        "a library with the client": (
            "other.work(cloud())",
            "writes",
            "passed on to other_library",
        ),
        "getattr": ("getattr(cloud(), value)('orders')", "calls", "getattr() may call anything"),
        "a verb as a text": (
            "getattr(cloud(), 'store_data')('orders', {})",
            "stores",
            "store_data is got by getattr()",
        ),
        "a verb for a client to come": (
            "methodcaller('load_data', 'orders', '1')(cloud())",
            "reads",
            "load_data is got by methodcaller()",
        ),
        "a helper as a text": ("getattr(shop, 'keep')(value)", "stores", "does not show"),
        "what a caller does not know": ("keep(value)", "stores", "does not show"),
    },
)
def test_what_the_code_does_not_show_is_told(
    tmp_path: Path, body: str, right: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler may use all of that kind that leeward.toml names, and a note says where."""
    (tmp_path / "other_library.py").write_text("work = print\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    code = f"""
@app.function()
def make(value): {body}
def keep(table): cloud().store_data(table, {{"id": "1"}})
import other_library as other
"""
    found = learnt(tmp_path, code)
    kind = {"calls": {"charge", "mails"}}.get(right, {"orders", "stock"})
    assert getattr(found.rights["make"], right) >= kind
    assert any(told in note and "[deploy.handlers.make]" in note for note in found.notes)


def test_what_is_declared_counts_and_the_code_does_not(tmp_path: Path) -> None:
    """Whole: a right that is not named there is not given."""
    code = "\n@app.function()\ndef make(value): cloud().load_data(value, '1')\n"
    more = '[deploy.handlers.make]\nreads = ["stock", "scans"]\npublishes = []\n'
    found = learnt(tmp_path, code, more)
    assert used(found.rights["make"]) == {"reads": "stock", "gets": "scans"}
    assert found.notes == ()


def test_what_nothing_names_is_told(tmp_path: Path) -> None:
    """No role allows it, so the call would fail there."""
    found = learnt(tmp_path, "\n@app.function()\ndef make(value): cloud().load_data('odd', '1')\n")
    assert used(found.rights["make"]) == {}
    (note,) = found.notes
    assert note == "make uses 'odd'; leeward.toml has no [tables.odd], so no role allows that"


def test_what_handlers_share_is_used_by_all_and_by_the_health(tmp_path: Path) -> None:
    """A function that is made before a handler runs counts for each of them."""
    code = """
from shelves import first
@app.warm
def rates(): return first()
@app.function()
def make(value): ...
"""
    shelves = (
        "def first():\n    from shop import cloud\n    return cloud().load_data('stock', '1')\n"
    )
    found = learnt(tmp_path, code, shelves=shelves)
    assert used(found.warm) == used(found.rights["make"]) == {"reads": "stock"}


def test_a_scheduled_backup_says_what_it_uses_and_others_get_nothing_of_it(tmp_path: Path) -> None:
    """It gets a client, like a library that nobody can look into."""
    code = """
from leeward_backup import schedule_backup
schedule_backup(app, "0 2 * * *", "orders", "scans/shop", client=app.client)
@app.function()
def make(value): ...
"""
    found = learnt(tmp_path, code, "[functions.back-up-orders-rest]\n")
    assert found.notes == ()
    assert used(found.rights["make"]) == used(found.warm) == {}
    for name in ("back-up-orders", "back-up-orders-rest"):
        assert used(found.rights[name]) == {
            "calls": "back-up-orders-rest",
            "reads": "orders",
            **dict.fromkeys(("gets", "puts", "deletes"), "scans"),
        }


def test_the_shop_is_understood() -> None:
    """Without a declaration, and without a note."""
    spec: PackageSpec = example("aws")
    assert spec.notes == ()
    rights: dict[str, Any] = {name: used(found) for name, found in spec.rights.items()}
    assert rights["take-payment"] == {
        "publishes": "orders",
        "calls": "charge",
        "reads": "orders",
        "stores": "orders",
    }
    assert rights["charge"] == {"reads": "charges", "stores": "charges", "writes": "keys"}
    assert rights["check-order"] == {}
    request = PackageRequest(
        "ordering:app", "aws", "3.13", "x86_64", SHOP, Path("build"), None, (), PackageSource()
    )
    assert spec_of(request)[0].rights == spec.rights
