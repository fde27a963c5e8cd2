"""`leeward export` writes what the clouds take, in every region."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree, ignore_patterns

from typer.testing import CliRunner

from leeward.cli.app import app as command_line
from leeward_deploy.commands.export import deployment_of
from leeward_deploy.facts import facts_of
from leeward_deploy.recipe import PACKAGERS, Recipe, offer_of
from tests.packages.exported import (
    CLOUDS,
    ORDERS,
    SHOP,
    ZONES,
    config_of,
    example,
    settings,
)


def test_the_example_is_exported_from_one_command_line(tmp_path: Path) -> None:
    """To every cloud, with its workflow, and a table that only clients know: each in its stage."""
    shop = tmp_path / "shop"
    copytree(SHOP, shop, ignore=ignore_patterns("__pycache__"))
    shop.chmod(0o755)
    text = 'unknowns = "lost-calls"\n'
    text += settings("aws").replace(ORDERS["aws"], ",".join(ORDERS.values()), 1)
    for cloud in ("azure", "google"):
        text += f'[export.{cloud}]\ndomain = "orders.example.com"\nzone = "{ZONES[cloud]}"\n'
    (shop / "leeward.toml").write_text(text + (SHOP / "leeward.toml").read_text())
    out = tmp_path / "out"
    args = ["export", "terraform", "ordering:app", "--source", str(shop), "--stage", "prod"]
    args += ["--out", str(out)]
    ran = CliRunner().invoke(command_line, args)
    assert ran.exit_code == 0, ran.output
    files = [Path(each) for each in ran.stdout.splitlines()]
    modules = {"aws", "aws-prod", "flows", "azure", "azure-prod", "global"}
    assert {each.parent.name for each in files} == {*modules, "google", "google-prod"}
    assert {each for each in out.rglob("*") if each.is_file()} == {*files}
    facts = json.loads((out / "aws-prod/facts.json").read_text())
    called = [facts["handlers"][name]["name"] for name in facts["flows"]["order"]["calls"]]
    google = json.loads((out / "google-prod/facts.json").read_text())
    called += [google["handlers"][name]["name"] for name in google["flows"]["order"]["calls"]]
    assert {each.partition("-")[0] for each in called} == {"prod"}
    assert facts["tables"]["lost-calls"]["name"] == "prod-lost-calls"
    assert "lost-calls" in facts["handlers"]["place-order"]["rights"]["writes"]
    # Nothing of it is written where one cloud's part is wrong.
    wrong = (shop / "leeward.toml").read_text().replace('zone = "example.com"', 'zone = "a.org"')
    (shop / "leeward.toml").write_text(wrong)
    args[-1] = str(tmp_path / "again")
    ran = CliRunner().invoke(command_line, args)
    assert "which is not below the zone 'a.org'" in " ".join(ran.stderr.split())
    assert not (tmp_path / "again").exists()


def test_an_order_beside_the_file_reaches_the_functions(tmp_path: Path) -> None:
    """The file goes along with the code, and may say `local`: a variable of each wins over it."""
    (tmp_path / "leeward.toml").write_text('cloud_provider = "local"\n')
    args = ["export", "terraform", "--targets", ORDERS["aws"], "--source", str(tmp_path)]
    (tmp_path / "small.py").write_text(
        "from leeward import App\n\napp = App('small')\napp.function(name='make')(len)\n"
    )
    tmp_path.chmod(0o755)
    ran = CliRunner().invoke(command_line, [*args, "--out", str(tmp_path / "out")])
    assert ran.exit_code == 0, ran.output
    assert "aws: leeward.toml names no function" in " ".join(ran.stderr.split())
    facts = json.loads((tmp_path / "out/aws/facts.json").read_text())
    assert facts["order"] == ORDERS["aws"]


def test_a_bucket_of_another_cloud_tells_nobody(tmp_path: Path) -> None:
    """There is none of its name, or somebody else's: what names it could not be applied.

    The home may also be a target that has no regions and no files.
    """
    files = (SHOP.with_name("pipeline") / "leeward.toml").read_text()
    order = "aws:us-east-1,azure:westeurope,google:us-central1,local"
    for cloud in CLOUDS:
        pipeline = example(cloud, "pipeline", "pipeline:app")
        recipe: Recipe = offer_of(PACKAGERS, cloud)(pipeline)
        for home in order.split(","):
            text = f'cloud_provider = "{order}"\n{files}home = "{home}"\n'
            place = deployment_of(config_of(tmp_path, text), cloud, pipeline.app)
            facts, _ = facts_of(pipeline, place, recipe.cloud)
            names = [facts["buckets"], *(each.get("rights") for each in facts["handlers"].values())]
            assert ("sales" in json.dumps(names)) is home.startswith(cloud), (cloud, home)
