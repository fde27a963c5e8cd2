"""The grammar of a failover order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leeward.config import TargetName, parse_order
from leeward.errors import ConfigError
from leeward_contract_tests.rows import each_row


@each_row(
    "text, expected",
    [
        ("local", [TargetName("local")]),
        ("aws, azure ,google", [TargetName("aws"), TargetName("azure"), TargetName("google")]),
        ("gcp", [TargetName("google")]),
        ("AWS:us-east-1", [TargetName("aws", "us-east-1")]),
        ("local:a,local:b", [TargetName("local", "a"), TargetName("local", "b")]),
    ],
)
def test_an_order_is_read(text: str, expected: list[TargetName]) -> None:
    """Blanks and capitals do not matter; ``gcp`` is ``google``."""
    assert list(parse_order(text, "CLOUD_PROVIDER")) == expected


@given(st.text(max_size=30))
def test_any_text_is_an_order_or_a_config_error(text: str) -> None:
    """Nothing else comes out, and what is read writes itself back."""
    try:
        order = parse_order(text, "CLOUD_PROVIDER")
    except ConfigError:
        return
    assert parse_order(",".join(map(str, order)), "again") == order
