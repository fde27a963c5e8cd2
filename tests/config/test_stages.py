"""What a stage of the file says counts instead of the rest, with the same types and errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from leeward.config import Config, load_settings
from leeward.config.sections import choose_stage, lay_over
from leeward.errors import ConfigError
from leeward_contract_tests.rows import each_row

FILE = """
cloud_provider = "aws"
[tables.orders]
timeout = 5
[tables.orders.names]
aws = "orders"
[stage.prod]
cloud_provider = "aws:us-east-1,aws:us-west-2"
[stage.prod.tables.orders.names]
aws = "prod-orders"
[stage.test]
"""


def load(folder: Path, text: str, stage: str | None = None) -> Config:
    """Read a file, with the variable that chooses a stage."""
    file = folder / "leeward.toml"
    file.write_text(text)
    return load_settings(file=file, env={} if stage is None else {"LEEWARD_STAGE": stage})


def test_a_stage_is_laid_over_the_rest(tmp_path: Path) -> None:
    """Tables are merged, and everything else is replaced; without a stage, nothing is."""
    plain, test = load(tmp_path, FILE), load(tmp_path, FILE, "test")
    prod = load(tmp_path, FILE, "prod")
    assert (plain.order, plain.tables) == (test.order, test.tables)
    assert [str(each) for each in plain.order] == ["aws"]
    assert [str(each) for each in prod.order] == ["aws:us-east-1", "aws:us-west-2"]
    assert (prod.tables["orders"].timeout, prod.tables["orders"].names) == (
        5,
        {"aws": "prod-orders"},
    )
    assert load(tmp_path, "", "prod").order == ()
    file = tmp_path / "leeward.toml"
    file.write_text(FILE)
    assert (
        load_settings(file=file, env={"LEEWARD_STAGE": "test"}, stage="prod").tables == prod.tables
    )
    assert load_settings(file=file, env={}, trust_env=False, stage="prod").order == prod.order


def test_the_file_may_choose_its_stage() -> None:
    """The variable wins over it."""
    document = {"deploy": {"stage": "test"}, "stage": {"test": {"a": 1}, "prod": {}}, "a": 2}
    assert choose_stage(document, None) == "test"
    assert choose_stage(document, "prod") == "prod"
    assert lay_over(document, "test", "f") == {"deploy": {"stage": "test"}, "a": 1}


@each_row(
    "text, stage, flaw",
    [
        (FILE, "prdo", r"no such stage; did you mean .prod.\? known: prod, test"),
        (FILE, "x", r"no such stage; known: prod, test; write a section \[stage.x\]"),
        ("stage = 1", "prod", r"stage in .* must be tables, one for each stage"),
        ("[stage]\nprod = 1", None, r"stage in .* must be tables, one for each stage"),
        ("[stage.prod.stage.a]", "prod", r"stage.prod in .* is a stage itself"),
        ("[stage.prod.deploy]\nstage = 'a'", None, r"stage.prod in .* is a stage itself"),
        (
            "[stage.prod.tables.orders]\ntimeout = 'x'",
            "prod",
            r"orders.timeout .*; \[stage.prod\] is laid over the rest",
        ),
        ("[stage.prod]\nnot_a_key = 1", "prod", r"not_a_key.*\[stage.prod\] is laid over"),
    ],
)
def test_a_mistake_names_its_field(tmp_path: Path, text: str, stage: str | None, flaw: str) -> None:
    """As it would without a stage; and says which stage is in force."""
    with pytest.raises(ConfigError, match=flaw):
        load(tmp_path, text, stage)


def test_a_mistyped_variable_is_refused(tmp_path: Path) -> None:
    """As is every variable of leeward's own; and each, where the file trusts none."""
    (tmp_path / "leeward.toml").write_text(FILE)
    with pytest.raises(ConfigError, match="LEEWARD_STAGE is set, and trust_env in .* is false"):
        load(tmp_path, f"trust_env = false{FILE}", "prod")
    with pytest.raises(ConfigError, match="did you mean LEEWARD_STAGE"):
        load_settings(file=tmp_path / "leeward.toml", env={"LEEWARD_STAGES": "prod"})
