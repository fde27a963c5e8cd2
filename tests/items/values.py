"""Native values as another program writes and reads them: without escapes, marks and digests."""

from typing import Any

from leeward.adapter.items import Profile, encode_value


def native_of(plain: Any, profile: Profile) -> Any:
    """Write a value, with all that is inside; a float as the number that the provider holds."""
    if isinstance(plain, float):
        plain = profile.numbers.hold(plain)
    if isinstance(plain, dict):
        plain = {name: native_of(inner, profile) for name, inner in plain.items()}
    if isinstance(plain, list):
        plain = [native_of(inner, profile) for inner in plain]
    return encode_value(plain, profile)


def plain_of(native: Any, profile: Profile) -> Any:
    """Read a native value, with all that is inside."""
    json_of = profile.typed_json
    if json_of is None:
        return native
    ((label, value),) = native.items()
    value = json_of.read[label](value) if label in json_of.read else value
    if label == json_of.write[dict][0]:
        return {name: plain_of(inner, profile) for name, inner in value.items()}
    if label == json_of.write[list][0]:
        return [plain_of(inner, profile) for inner in value]
    return value
