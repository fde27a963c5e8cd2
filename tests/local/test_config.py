from collections.abc import Callable
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

import pytest

from leeward import App, Client
from leeward.adapter import TargetConfig
from leeward.errors import ConfigError
from leeward.local import Local, open_driver
from leeward_contract_tests.rows import each_row
from tests.local.calls import PATIENT, event, invoke, publish, store, value_of

seen: list[Any] = []


def double(payload: int) -> int:
    """Double a number."""
    return payload * 2


app = App("tests")


@app.function()
def treble(payload: int) -> int:
    """Treble a number."""
    return payload * 3


def remember(event: Any) -> None:
    """Remember the id of an event."""
    seen.append(event.id)


class Namespace:
    """A place for a function."""

    @staticmethod
    def double(payload: int) -> int:
        """Double a number."""
        return payload * 2


HERE = __name__


def config(qualifier: str | None = None, **options: Any) -> TargetConfig:
    """Give what the factory is given."""
    name = "local" if qualifier is None else f"local:{qualifier}"
    return TargetConfig(name, "local", qualifier, options, {})


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the default path out of the checkout."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("qualifier", "name"), [(None, "local.sqlite3"), ("a.B_2-x", "local-a.B_2-x.sqlite3")]
)
def test_each_qualifier_has_a_file_of_its_own(
    qualifier: str | None, name: str, tmp_path: Path
) -> None:
    """The default path lies in .leeward of the working directory, and is made on first use."""
    driver = open_driver(config(qualifier))
    expected = tmp_path / ".leeward" / name
    assert driver.describe()["path"] == str(expected)
    assert not expected.parent.exists()
    value_of(driver.perform(store(), 5))
    assert expected.exists()
    driver.close()


def test_the_path_stays_when_the_process_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path is taken from the directory in which the target was opened."""
    driver = open_driver(config(path="x.sqlite3"))
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    value_of(driver.perform(store(), 5))
    assert (tmp_path / "x.sqlite3").exists()
    driver.close()


def test_functions_and_subscriptions_are_imported() -> None:
    """They are at work as if they had been registered by decorators."""
    seen.clear()
    driver = open_driver(
        config(
            path=":memory:",
            functions={"double": f"{HERE}:double", "nested": f"{HERE}:Namespace.double"},
            subscriptions=[
                {"bus": "orders", "type": "order.created", "function": f"{HERE}:remember"},
                {"bus": "orders", "name": "all", "function": f"{HERE}:remember"},
            ],
        )
    )
    assert isinstance(driver, Local)
    assert value_of(driver.perform(invoke("double", b"21"), PATIENT)) == 42
    assert value_of(driver.perform(invoke("nested", b"21"), PATIENT)) == 42
    driver.perform(publish(event("1"), event("2", "order.paid")), 5)
    driver.wait_idle(PATIENT)
    assert sorted(seen) == ["1", "1", "2"]
    driver.close()


def test_an_app_is_imported_and_mounted_once() -> None:
    """Its handlers are at work; a client that is given it too changes nothing."""
    driver = open_driver(config(path=":memory:", app=f"{HERE}:app"))
    with Client(driver, app=app) as client:
        assert client.invoke("treble", 7).value == 21


@pytest.mark.threat("S11")
@each_row("qualifier", ["", "../x", "a b", "a/b", "ä", "a\n"])
def test_a_qualifier_that_is_no_file_name_is_refused(qualifier: str) -> None:
    """It cannot lead out of the directory."""
    with pytest.raises(ConfigError, match="letters, digits"):
        open_driver(config(qualifier))


@each_row(
    "options, message",
    [
        ({"paht": "x"}, "unknown key 'paht'"),
        ({"path": 1}, "'path'.*must be a str"),
        ({"path": ""}, "'path'.*is empty"),
        ({"functions": []}, "'functions'.*must be a dict"),
        ({"functions": {"f": 1}}, r"functions.'f' in .*module:name"),
        ({"functions": {"f": "no_colon"}}, "module:name"),
        ({"functions": {"f": "a:b:c"}}, "module:name"),
        ({"functions": {"f": "leeward.nowhere:f"}}, r"ModuleNotFoundError: no module 'leeward.now"),
        ({"functions": {"f": f"{HERE}:absent"}}, "has no 'absent'; correct the name"),
        ({"functions": {"f": f"{HERE}:doubel"}}, "has no 'doubel'; did you mean 'double'?"),
        ({"app": f"{HERE}:double"}, "'app' .* is a function; name a leeward.App"),
        ({"app": "nope"}, "'app' .* must look like"),
        ({"functions": {"f": f"{HERE}:seen"}}, "is not callable"),
        ({"functions": {"": f"{HERE}:double"}}, "name"),
        ({"subscriptions": {}}, "'subscriptions'.*must be a list"),
        ({"subscriptions": ["orders"]}, r"subscriptions\[0\] .*must be a table"),
        ({"subscriptions": [{"function": f"{HERE}:remember"}]}, "lacks 'bus'"),
        ({"subscriptions": [{"bus": "orders"}]}, "lacks 'function'"),
        ({"subscriptions": [{"bus": "", "function": "a:b"}]}, "'bus'.*not empty"),
        ({"subscriptions": [{"bus": "orders", "function": 1}]}, "'function'.*must be a string"),
        ({"subscriptions": [{"bus": "orders", "tpye": "x"}]}, "unknown key 'tpye'.*function, name"),
        ({"subscriptions": [{"bus": "orders", "function": "nope"}]}, "module:name"),
        (
            {"subscriptions": [{"bus": "orders", "function": f"{HERE}:remember"}] * 2},
            "'remember' already",
        ),
    ],
)
def test_a_wrong_option_is_refused_on_opening(options: dict[str, Any], message: str) -> None:
    """The message names the key and the remedy, and nothing is made."""
    with pytest.raises(ConfigError, match=message):
        open_driver(config(**options))
    assert list(Path().iterdir()) == []


@each_row(
    "text, why",
    [
        ("\nraise ValueError('secret')", r"ValueError at .*failing_module.py:2\)"),
        ("x = 1\ndef broken(", r"SyntaxError at .*failing_module.py:2: .*never closed"),
        ("x = 'secret' +", r"SyntaxError at .*failing_module.py:1: invalid syntax\)"),
        ("import nowhere_", r"ModuleNotFoundError: no module 'nowhere_' at .*failing_module.py:1"),
        ("from json import secrt", r"ImportError of 'json' at .*failing_module.py:1\)"),
        ("None.secret", r"AttributeError at .*failing_module.py:1\)"),
        (
            "from leeward import Client\nClient(config=1)",
            r"ConfigError at .*failing_module.py:2: config must be a path",
        ),
        ("import sys\nsys.exit('secret')", r"SystemExit at .*failing_module.py:2\)"),
    ],
)
def test_a_module_that_fails_is_a_configuration_error(
    text: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it raises: the message says what is missing, and where; the error is the cause."""
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    (tmp_path / "failing_module.py").write_text(text)
    invalidate_caches()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=f"'failing_module' cannot be imported .{why}") as caught:
        open_driver(config(functions={"f": "failing_module:f"}))
    assert caught.value.__cause__ is not None
    assert "secret" not in str(caught.value)


def test_a_file_that_cannot_be_trusted_is_refused_on_opening(
    tmp_path: Path, opened: Callable[..., Local]
) -> None:
    """The check does not wait for the first call."""
    (tmp_path / "real").touch()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(ConfigError, match="symbolic link"):
        open_driver(config(path="link"))
