"""An adapter's rows: what they find, what they refuse, and how they look on its page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from leeward.adapter import TargetConfig
from leeward.adapter.options import Option, Setting, Values, matching, read_options, table_of
from leeward.errors import ConfigError


def _louder(setting: Setting, values: Values) -> str:
    return f"{setting.value}{values['suffix']}"


ROWS = (
    Option("word", "a word", variables="WORD OLD_WORD", check=_louder),
    Option("suffix", "behind it", default="!", check=matching("[?!]+", "of ? and !")),
    Option("zone", "where", variables="ZONE", qualifier=True),
    Option("on", "a switch", bool, variables="ON", default=False),
    Option("count", "a number", int, default=3),
    Option("names", "name to word", dict, check=matching("[a-z/]+", "lower case", "/")),
    Option("key", "a key", variables="KEY", secret=True, excludes="token", needs=("url or place",)),
    Option("token", "a token", variables="TOKEN", excludes="key"),
    Option("keys", "name to key", dict, secret=True, needs=("url or place",)),
    Option("url", "a URL", variables="URL", needs=("base",)),
    Option("place", "a place", excludes="ground"),
    Option("base", "below a URL", variables="BASE"),
    Option("ground", "below a place", default="grass"),
    Option("sun", "above", default="s", excludes="moon"),
    Option("moon", "above", variables="MOON"),
    Option("empty", "may be", may_be_empty=True),
    Option("said", "by a variable alone", variables="SAID", key=False),
    Option("locked", "in the hardened mode", list, hardened=True),
)


def read(
    env: dict[str, str] | None = None,
    qualifier: str | None = None,
    *,
    rows: Sequence[Option] = ROWS,
    trust_env: bool = True,
    **options: Any,
) -> Values:
    name = f"nimbus:{qualifier}" if qualifier else "nimbus"
    config = TargetConfig(name, "nimbus", qualifier, options, env or {}, trust_env)
    return read_options(config, rows)


def refusal(env: dict[str, str] | None = None, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        read(env, **options)
    return str(caught.value)


def test_an_option_goes_before_its_variables() -> None:
    """Of these the first that is set and not empty counts; and messages know which it was."""
    env = {"WORD": "new", "OLD_WORD": "old"}
    assert read(env, word="own")["word"] == "own!"
    assert read(env)["word"] == "new!"
    assert read(env | {"WORD": ""})["word"] == "old!"
    assert read()["word"] is None
    assert read(env).setting("word") == Setting("new!", "WORD", variable=True)
    assert read(word="own").setting("word") == Setting("own!", "'word' in [targets.\"nimbus\"]")
    assert read().setting("word") is None


@pytest.mark.row(14)
@pytest.mark.threat("S4")
def test_in_the_hardened_mode_no_variable_counts() -> None:
    """Also where an adapter is handed an environment all the same."""
    env = {each: "1" for row in ROWS for each in row.variables.split()}
    values, bare = read(env, trust_env=False), read(trust_env=False)
    assert [values[row.name] for row in ROWS] == [bare[row.name] for row in ROWS]


def test_a_check_finds_other_options_checked() -> None:
    """Wherever they stand in the table; each is checked once."""
    assert read(word="w", suffix="?!")["word"] == "w?!"
    assert "'suffix' in [targets.\"nimbus\"] must be of ? and !" in refusal(word="w", suffix="x")


def test_an_option_is_known_and_has_a_type() -> None:
    """A misspelt one is told what was meant; a variable's name alone is no key."""
    assert "unknown key 'wordd'" in refusal(wordd="x")
    assert "did you mean 'word'?" in refusal(wordd="x")
    assert "must be a int, not bool" in refusal(count=True)
    assert "must be a dict, not str" in refusal(names="x")
    assert "unknown key 'said'" in refusal(said="x")
    assert read({"SAID": "x"})["said"] == "x"


def test_an_empty_text_is_refused() -> None:
    """Unless it means something; an empty variable is none."""
    assert "'word' in [targets.\"nimbus\"] is empty" in refusal(word="")
    assert read(empty="")["empty"] == ""


def test_each_entry_of_a_table_is_checked() -> None:
    """And named by its place; what does not count at its ends is taken away."""
    assert read(names={"a": "/b/c/"})["names"] == {"a": "b/c"}
    assert "'a' of 'names' in [targets.\"nimbus\"] must be lower case" in refusal(names={"a": "B"})
    for wrong in (1, "", None):
        assert "must be a non-empty string" in refusal(names={"a": wrong})


@pytest.mark.parametrize("value", ["canary\n", "can ary", "canäry"])
def test_a_secret_can_stand_in_a_header(value: str) -> None:
    """And is not repeated where it cannot."""
    for told in (refusal(place="p", key=value), refusal(place="p", keys={"a": value})):
        assert "holds white space or a character outside ASCII" in told
        assert value not in told


def test_two_options_that_contradict_each_other() -> None:
    """Whichever of them says so."""
    told = refusal(token="t", key="k", place="p")
    assert "'key' in [targets.\"nimbus\"] and 'token' in [targets.\"nimbus\"] exclude" in told
    assert "'place' in [targets.\"nimbus\"] and 'ground'" in refusal(place="p", ground="stone")


def test_a_variable_gives_way() -> None:
    """To an option; and of two variables the first option's counts."""
    both = {"KEY": "k", "TOKEN": "t"}
    values = read(both, place="p", token="own")
    assert (values["key"], values["token"]) == (None, "own")
    values = read(both, place="p")
    assert (values["key"], values["token"]) == ("k", None)


def test_an_option_counts_even_if_it_says_its_default() -> None:
    """A variable gives way to it all the same."""
    values = read({"MOON": "m"}, sun="s")
    assert (values["sun"], values["moon"]) == ("s", None)
    assert read({"MOON": "m"})["moon"] == "m"


def test_an_option_without_effect_is_refused() -> None:
    """Something that it needs is missing; the message names what, its variables too."""
    told = "'key' in [targets.\"nimbus\"] has no effect without url or place or URL"
    assert told in refusal(key="k")
    assert "has no effect without url or place or URL" in refusal(keys={})
    assert "has no effect without base or BASE" in refusal(url="u")
    with pytest.raises(ConfigError, match="has no effect without base: set"):
        read(trust_env=False, url="u")
    assert read({"BASE": "b"}, url="u")["url"] == "u"


def test_a_variable_without_effect_is_none() -> None:
    """It may be there for another program."""
    values = read({"URL": "u", "KEY": "k"})
    assert (values["url"], values["key"]) == (None, None)
    assert read({"URL": "u", "BASE": "b", "KEY": "k"})["key"] == "k"


def test_what_the_hardened_mode_alone_knows() -> None:
    """Elsewhere it would narrow nothing, and nobody shall believe so."""
    assert read(trust_env=False, locked=["a"])["locked"] == ["a"]
    assert "no effect while trust_env is true" in refusal(locked=[])


def test_a_required_option_may_be_said_anywhere() -> None:
    """Where it is not, the message names the option, its section and its variables."""
    rows = (Option("url", "where", variables="URL OLD_URL", required=True),)
    assert read(rows=rows, url="a")["url"] == "a"
    assert read({"OLD_URL": "b"}, rows=rows)["url"] == "b"
    told = "'url' is missing in [targets.\"nimbus\"]: set it"
    with pytest.raises(ConfigError, match=rf"{re.escape(told)}, or the variable URL or OLD_URL$"):
        read(rows=rows)
    with pytest.raises(ConfigError, match=rf"{re.escape(told)}$"):
        read({"URL": "c"}, rows=rows, trust_env=False)


def test_the_order_of_the_rows_decides_nothing_else() -> None:
    """Whichever stands first: what is found and what is refused is the same."""
    rows = [row for row in ROWS if row.name in ("word", "suffix", "url", "base")]
    config = TargetConfig("n", "n", None, {"word": "w", "suffix": "?", "url": "u"}, {"BASE": "b"})
    for order in permutations(rows):
        values = read_options(config, order)
        assert [values[row.name] for row in rows] == ["w?", "?", "u", "b"]


def test_the_rows_as_a_table() -> None:
    """One line for each, for the adapter's page."""
    assert table_of(
        [ROWS[0], ROWS[1], next(row for row in ROWS if row.name == "said")]
    ).splitlines() == [
        "| key | variable | meaning |",
        "|---|---|---|",
        "| `word` | `WORD`, `OLD_WORD` | a word |",
        "| `suffix` | | behind it |",
        "| | `SAID` | by a variable alone |",
    ]
