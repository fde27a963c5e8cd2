"""leeward's own JSON is what the standard library writes, compact and in UTF-8."""

from __future__ import annotations

import json
from json import encoder
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward import json_text

TEXT = st.text('aé"\\/\n\x7f\u2028😀', max_size=4)
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


@given(ANY_JSON)
def test_it_is_what_the_standard_library_writes(value: Any) -> None:
    """Whatever the value, the bytes are those of `json.dumps`, told to be compact."""
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert json_text.encode(value) == plain.encode()


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": -float("inf")}])
def test_numbers_that_json_lacks_are_refused(value: Any) -> None:
    """No reader of JSON has to take them, so none is sent."""
    with pytest.raises(ValueError, match="JSON compliant"):
        json_text.encode(value)


def test_an_interpreter_without_the_encoder_in_c_writes_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then the one in Python does the work."""
    value = {"é": [1, 2.5, None, True, "\u2028"], "": {}}
    in_c = json_text.encode(value)
    monkeypatch.setattr(encoder, "c_make_encoder", None)
    json_text._encoder.cache_clear()
    try:
        assert json_text.encode(value) == in_c
    finally:
        json_text._encoder.cache_clear()
