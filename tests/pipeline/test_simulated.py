"""The pipeline loses nothing and writes nothing twice, whatever happens on the way."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

from tests.pipeline.files import poison_of
from tests.pipeline.simulated import LOST, TWICE, UNFOUNDED, WRONG, play

FILES = int(os.environ.get("LEEWARD_OBJECTS", "400"))
"""``LEEWARD_OBJECTS=10000`` in the environment makes it the full number."""


def test_each_file_becomes_one_summary_or_a_dead_letter_with_its_reason() -> None:
    """Told twice, in any order, with processes killed at every call and lost ends and answers."""
    counts = play(FILES, seed=1)
    poison = sum(poison_of(each) is not None for each in range(FILES))
    assert not {LOST, TWICE, WRONG, UNFOUNDED} & set(counts)
    assert (counts["given up"], counts["summarized"]) == (poison, FILES - poison)
    assert counts["killed"] > FILES / 10
    assert counts["told twice"] > FILES / 50
    assert counts["end lost"] > FILES / 50


def writes_over_what_is_there(module: ModuleType) -> None:
    """Change the pipeline to write without a condition."""

    def write(arrived: Any, body: bytes) -> None:
        known = {"source_version": arrived.version}
        name = arrived.key.removeprefix(module.ARRIVED)
        module.cloud().put_object(module.BUCKET, f"processed/{name}.json", body, metadata=known)

    module.write = write  # type: ignore[attr-defined]


def swallows_what_goes_wrong(module: ModuleType) -> None:
    """Change the pipeline to take every file for done, as the usual sketch does."""
    once = module.summarize_once

    def summarize(*given: Any) -> None:
        try:
            once(*given)
        except Exception:  # noqa: BLE001 - the mistake
            return

    module.summarize_once = summarize  # type: ignore[attr-defined]


def takes_the_first_version(module: ModuleType) -> None:
    """Change the pipeline to leave a summary that is there, whatever it is of."""
    module.is_newer = lambda *_: False  # type: ignore[attr-defined]


def test_the_simulation_finds_what_is_wrong_with_a_pipeline() -> None:
    """Each mistake shows itself as what it is."""
    table = [
        (writes_over_what_is_there, TWICE),
        (swallows_what_goes_wrong, LOST),
        (takes_the_first_version, WRONG),
    ]
    for mistake, found in table:
        assert play(150, seed=3, mistake=mistake)[found] > 0, mistake.__name__
