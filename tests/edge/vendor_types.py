"""Extract what Google's load balancer takes, from the vendor's own package.

    pip install google-cloud-compute
    python -m tests.edge.vendor_types

Its types name every field, its type, the values of enumerations, and what is required. What the
export uses of it is kept in `vendor_types.json`.
"""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin

KEPT: Final = Path(__file__).with_name("vendor_types.json")

GOOGLE: Final = (
    *("UrlMap", "HostRule", "PathMatcher", "HttpRouteRule", "HttpRouteRuleMatch"),
    *("HttpRedirectAction", "HttpRouteAction", "UrlRewrite", "HttpHeaderAction"),
    *("HttpHeaderOption", "SecurityPolicy", "SecurityPolicyRule", "SecurityPolicyRuleMatcher"),
    *("SecurityPolicyRuleMatcherConfig", "Expr"),
)


def _hint(hint: Any) -> Any:
    if get_origin(hint) is list:
        return [_hint(get_args(hint)[0])]
    options = [each for each in get_args(hint) if each not in (NoneType, str)]
    if get_origin(hint) is Literal:
        return {"values": [each.value for each in options]}
    if options:
        return _hint(options[0])
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"values": [each.value for each in hint]}
    names = {str: "string", int: "integer", bool: "boolean"}
    return names.get(hint) or (names[str] if str in get_args(hint) else hint.__name__)


def of_google() -> dict[str, Any]:
    """Give the fields of the load balancer's messages."""
    types = __import__("google.cloud.compute_v1.types", fromlist=["compute"])
    found = {}
    for name in GOOGLE:
        message = getattr(types, name)
        fields = {}
        for field in message.pb().DESCRIPTOR.fields:
            attribute = message.meta.fields[field.name]
            # Enumerations are texts there, whose values stand beside the message that uses them.
            camel = "".join(part.capitalize() for part in field.name.split("_"))
            values: Any = getattr(message, camel, None)
            kind: Any = {3: "integer", 5: "integer", 8: "boolean"}.get(
                attribute.proto_type, "string"
            )
            if attribute.message is not None:
                kind = getattr(attribute.message, "__name__", "map")
            elif values is not None:
                kind = {"values": [each.name for each in values if "UNDEFINED" not in each.name]}
            repeated = attribute.repeated and kind != "map"
            fields[field.json_name] = {"type": [kind] if repeated else kind, "required": False}
        found[name] = fields
    return found


def main() -> None:
    """Write the types of what is used."""
    found = of_google()
    KEPT.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
