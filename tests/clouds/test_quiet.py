"""What a call on a cloud loads: nothing of its vendor's, where credentials are at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clouds.wires import WIRES, placed
from tests.quiet import loaded
from tests.servers.answering import AnsweringServer

SCRIPT = """
from leeward import Client
with Client({target!r}) as client:
    client.invoke("send", {{}})
    client.enqueue("send", {{}})
    client.publish_event("default", "created", {{}})
    client.store_data("orders", {{"id": "42"}})
    client.load_data("orders", "42")
    client.delete_data("orders", "42")
"""


PLATFORMS = [target for target, wire in WIRES.items() if wire.metadata]
"""Those that give tokens on their own machines, by HTTP."""


@pytest.mark.parametrize(
    ("target", "at_hand"),
    [*((target, True) for target in WIRES), *((target, False) for target in PLATFORMS)],
)
def test_no_vendor_package_is_imported(target: str, at_hand: bool, tmp_path: Path) -> None:
    """Every verb works without it; leeward itself asks for the tokens that a platform gives."""
    wire = WIRES[target]
    options, env = (wire.keys, wire.key_env) if at_hand else wire.metadata or ({}, {})
    with AnsweringServer(wire.answer) as server:
        found = loaded(
            SCRIPT.format(target=target),
            tmp_path,
            target,
            placed({**wire.options, **options}, server.url),
            placed({**wire.env, **env}, server.url),
        )
        path, count = wire.asked
        tokens = [each for each in server.executed if path and each.target.startswith(path)]
        assert len(tokens) == (0 if at_hand else count)
        assert server.count == 6 + len(tokens)
    assert "pycurl" in found
    assert found & wire.vendors == set()
