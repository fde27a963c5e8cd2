"""The house stays one that a person can keep: its numbers have limits.

`python -m tests.house.numbers --names` shows what stands behind each.
"""

from __future__ import annotations

from tests.house import numbers
from tests.house.workspace import ROOT

LIMITS = {
    "own imports in functions": 42,
    "class names twice": 2,
    "names of the kits": 197,
    "participles as values": 254,
}


def test_no_module_imports_itself_in_a_circle() -> None:
    """Imports in functions, and those for types alone, count."""
    assert numbers.cycles(["top", "lazy", "typing"]) == []


def test_functions_are_verbs() -> None:
    """A participle says what something is, not what a function does."""
    assert numbers.participles() == []


def test_a_state_is_changed_by_its_owner_alone() -> None:
    """In the room that decides."""
    assert numbers.foreign_writes() == []


def test_what_tends_to_grow_stays_small() -> None:
    """Imports in functions stand at the doors of rooms; a name has one meaning."""
    measured = {
        "own imports in functions": numbers.lazy_imports(),
        "class names twice": numbers.classes_with_one_name(),
        "names of the kits": numbers.kit_names(),
        "participles as values": numbers.participle_values(),
    }
    assert {name: found for name, found in measured.items() if len(found) > LIMITS[name]} == {}


def test_private_functions_say_more_than_their_bodies() -> None:
    """Those with one caller are steps of 10 to 40 lines, callbacks, and entries of tables."""
    uses = numbers.private_functions()
    assert sum(count == 1 for count in uses.values()) <= 0.59 * len(uses)


def test_the_sizes_hold() -> None:
    """Lines and files of what serves calls, and lines of everything but the contract suite."""
    sizes = numbers.sizes()
    lines, files = sizes["."]
    # What is sent to runs came in for as many lines of infrastructure (`extras/deploy`).
    assert sizes["adapters/postgres"][0] <= 4_481  # of which about 1,290 are SQL
    clouds = [sizes[f"adapters/{name}"] for name in ("aws", "azure", "google")]
    # Events, loops and questions of workflows came in for 2,000 lines of the command line, the
    # views and the app, which went out.
    assert lines <= 58_496
    assert files <= 250
    assert sum(lines for lines, _ in clouds) <= 16_003
    assert sum(files for _, files in clouds) <= 122
    # The console's search, timelines and memory came in for the drill, which went out.
    assert sum(lines for name, (lines, _) in sizes.items() if name != "contract_tests") <= 103_412


def test_the_design_page_has_only_what_shapes_the_house() -> None:
    """The reason for one line stands beside the line, and figures stand on the pages of figures."""
    page = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    assert page.count("\n") <= 400
    assert "\n### " not in page


def test_a_functions_zip_stays_small() -> None:
    """It is loaded in each cold start, and sent with each deployment."""
    assert max(numbers.zip_sizes().values()) <= 1_722_500
