"""The pages on workers and on hosting by yourself hold to what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from leeward.cli.app import app
from leeward.config import WorkerConfig, load_settings
from leeward.workflow.model import functions_of
from tests.docs.test_pages import DOCS, blocks, table


@pytest.mark.parametrize("page", ["workers.md", "self-hosted.md"])
def test_the_configuration_of_the_pages_is_read(page: str, tmp_path: Path) -> None:
    """As it stands there."""
    for text in blocks(DOCS / page, "toml"):
        (tmp_path / "leeward.toml").write_text(text)
        config = load_settings(file=tmp_path / "leeward.toml", env={})
        assert config.worker.app == "shop:app"


def test_the_options_are_those_of_the_command_and_of_the_file() -> None:
    """None is missing, and none is more."""
    command = typer.main.get_command(app).commands["worker"]  # type: ignore[attr-defined]
    names = {option for each in command.params for option in each.opts if option.startswith("--")}
    listed = {row[0].split(" ")[0] for row in table("workers.md", "option |")}
    assert listed == (names - {"--help"}) | {"MODULE:APP", "--json"}
    [text] = blocks(DOCS / "workers.md", "toml")
    keys = set(re.findall(r"^(\w+) =|^\[worker\.(\w+)\]", text, re.MULTILINE))
    flat = {each for pair in keys for each in pair if each}
    assert {*WorkerConfig._fields} - {"token"} <= flat


def test_the_app_of_the_page_is_one() -> None:
    """With the step that its workflow calls."""
    [text] = blocks(DOCS / "self-hosted.md", "python")
    module: dict[str, object] = {}
    exec(compile(text, "self-hosted.md", "exec"), module)
    shop = module["app"]
    assert {*functions_of(shop.workflows[0])} <= {*shop.handlers}  # type: ignore[attr-defined]
