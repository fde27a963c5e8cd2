"""A provider of Terraform, made of the schemas that are kept: it plans, applies, and makes nothing.

Terraform's core attaches to it as a plugin, and talks to it in protocol 6. One serves all roots of
a cloud. What a resource has besides its arguments is not known until it is applied, as with a real
provider; then it is a text made of its type and name.

Sources: `tfplugin6.proto` and "How Terraform Uses Plugins" in Terraform's repository; go-plugin's
handshake. The messages that are used are few, and are written here by their numbers.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any, Final

import grpc
import msgpack  # type: ignore[import-untyped]

from tests.packages.forces import ARNS, CONFIGURED, FORCES, IDS, READ

Message = dict[int, list[Any]]

UNKNOWN: Final = msgpack.ExtType(0, b"\x00")

_TYPES: Final = {"string": "string", "number": "number", "boolean": "bool"}

_SINGLE, _LIST = 1, 2


def pack(*fields: tuple[int, Any]) -> bytes:
    """Return a message of protobuf: texts, bytes, messages, numbers and truths by their numbers."""
    found = b""
    for number, value in fields:
        if isinstance(value, bool | int):
            found += _varint(number << 3) + _varint(int(value))
        else:
            content = value.encode() if isinstance(value, str) else value
            found += _varint(number << 3 | 2) + _varint(len(content)) + content
    return found


def unpack(data: bytes) -> Message:
    """Return the fields of a message by their numbers, each as often as it is there."""
    found: Message = {}
    at = 0
    while at < len(data):
        key, at = _read(data, at)
        size, at = _read(data, at)
        if key & 7 == 2:
            value, at = data[at : at + size], at + size
            found.setdefault(key >> 3, []).append(value)
        else:
            found.setdefault(key >> 3, []).append(size)
    return found


def _varint(value: int) -> bytes:
    found = b""
    while value > 0x7F:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


def _read(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def block_of(schema: dict[str, Any], *, is_resource: bool = True) -> bytes:
    """Return a schema as a block of the protocol."""
    fields: list[tuple[int, Any]] = []
    for name, kind in schema.items():
        own = name.rstrip("!")
        if name == "=":
            fields += ((2, _attribute(each, "string", computed=True)) for each in kind)
        elif isinstance(kind, dict):
            fields.append((3, _nested(own, kind, most=1)))
        elif isinstance(kind, list) and isinstance(kind[0], dict):
            fields.append((3, _nested(own, kind[0], most=0)))
        else:
            fields.append((2, _attribute(own, kind, required=name.endswith("!"))))
    if is_resource:
        fields.append((2, _attribute("id", "string", computed=True)))
    return pack(*fields)


def _nested(name: str, schema: dict[str, Any], most: int) -> bytes:
    inner = block_of(schema, is_resource=False)
    return pack((1, name), (2, inner), (3, _LIST), *([(5, most)] if most else []))


def _attribute(name: str, kind: Any, *, required: bool = False, computed: bool = False) -> bytes:
    how = 4 if required else 6 if computed else 5
    return pack((1, name), (2, json.dumps(_type(kind))), (how, True))


def _type(kind: Any) -> Any:
    if kind == "map":
        return ["map", "string"]
    return ["list", _type(kind[0])] if isinstance(kind, list) else _TYPES[kind]


def computed(schema: dict[str, Any], value: Any, give: Callable[[str], Any]) -> Any:
    """Return a value with what its resource has besides its arguments, where that is not there."""
    if not isinstance(value, dict):
        return value
    found = dict(value)
    for name, kind in schema.items():
        own = name.rstrip("!")
        if name == "=":
            found |= {each: give(each) for each in kind if found.get(each) in (None, UNKNOWN)}
        elif isinstance(kind, dict) or (isinstance(kind, list) and isinstance(kind[0], dict)):
            inner = kind if isinstance(kind, dict) else kind[0]
            found[own] = [computed(inner, each, give) for each in found.get(own) or ()]
    return found


class Provider:
    """Answers what the core asks, by the name of the method.

    Args:
        resources: schemas by type.
        data: schemas of what is read.

    Attributes:
        down: the region that does not answer; empty for none.
    """

    def __init__(self, resources: dict[str, Any], data: dict[str, Any]) -> None:
        self._resources = resources
        self._data = data
        self._name = next(iter(resources), "").partition("_")[0]
        self.down = ""

    def answer(self, method: str, request: bytes) -> bytes:
        """Return the answer to a request."""
        return getattr(self, f"_{method}", self._nothing)(unpack(request))

    def _nothing(self, _: Message) -> bytes:
        return b""

    def _GetProviderSchema(self, _: Message) -> bytes:  # noqa: N802 - the protocol's name
        settings = block_of(CONFIGURED.get(self._name, {}), is_resource=False)
        fields: list[tuple[int, Any]] = [(1, _schema(settings))]
        for number, schemas in ((2, self._resources), (3, self._data)):
            for type, schema in schemas.items():
                own = {"=": [*schema.get("=", ()), "id"], **schema}
                own["="] = sorted({*own["="], "id"} - {each.rstrip("!") for each in schema})
                block = block_of(own, is_resource=False)
                fields.append((number, pack((1, type), (2, _schema(block)))))
        # Field 6 says that who has these schemas need not ask for them again.
        return pack(*fields, (6, pack((2, True))))

    def _UpgradeResourceState(self, request: Message) -> bytes:  # noqa: N802
        return pack((1, pack((2, unpack(request[3][0])[1][0]))))

    def _ReadResource(self, request: Message) -> bytes:  # noqa: N802
        has = _value(request, 2) or {}
        if self.down and self.down in (has.get("region"), has.get("location")):
            return pack((2, pack((1, 1), (2, f"{self.down} does not answer"))))
        return pack((1, request[2][0]))

    def _ReadDataSource(self, request: Message) -> bytes:  # noqa: N802
        given = {
            name: value
            for name, value in READ.get(_type_of(request), {}).items()
            if _value(request, 2).get(name) is None
        }
        schema = _with_id(self._data[_type_of(request)])
        value = computed(schema, _value(request, 2) | given, lambda name: f"a-{name}")
        return pack((1, _dynamic(value)))

    def _PlanResourceChange(self, request: Message) -> bytes:  # noqa: N802
        prior, proposed = _value(request, 2), _value(request, 3)
        schema = _with_id(self._resources[_type_of(request)])
        if proposed is not None and prior is not None:
            forces = FORCES.get(_type_of(request), ())
            forced = [name for name in forces if proposed.get(name) != prior.get(name)]
            if forced:
                arguments = {name.rstrip("!") for name in schema}
                blank = {
                    name: value if name in arguments else None for name, value in proposed.items()
                }
                planned = _dynamic(computed(schema, blank, lambda _: UNKNOWN))
                paths = ((2, pack((1, pack((1, name))))) for name in forced)
                return pack((1, planned), *paths)
        if proposed is None or prior is not None:
            return pack((1, request[3][0]))
        return pack((1, _dynamic(computed(schema, proposed, lambda _: UNKNOWN))))

    def _ApplyResourceChange(self, request: Message) -> bytes:  # noqa: N802
        if _value(request, 3) is None:
            return pack((1, request[3][0]))
        return pack((1, self._known(self._resources, request, 3)))

    def _known(self, schemas: dict[str, Any], request: Message, number: int) -> bytes:
        type = _type_of(request)
        value = _value(request, number)
        digest = sha256(json.dumps(value, default=str, sort_keys=True).encode()).hexdigest()[:8]
        made = computed(_with_id(schemas[type]), value, lambda name: f"{name}-{digest}")
        made |= {"id": made[IDS[type]]} if type in IDS else {}
        return _dynamic(
            made | ({"arn": f"arn:aws:{ARNS[type].format(**made)}"} if type in ARNS else {})
        )


def _schema(block: bytes) -> bytes:
    return pack((1, 0), (2, block))


def _with_id(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "=": sorted({*schema.get("=", ()), "id"})}


def _type_of(request: Message) -> str:
    return bytes(request[1][0]).decode()


def _value(request: Message, number: int) -> Any:
    packed = unpack(request[number][0])
    return msgpack.unpackb(packed[1][0], strict_map_key=False)


def _dynamic(value: Any) -> bytes:
    return pack((1, msgpack.packb(value)))


def main() -> None:
    """Serve until the input ends: its first line has the schemas, each later one a dead region."""
    provider = Provider(*json.loads(sys.stdin.readline()))

    class Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, call: Any) -> Any:
            service, _, method = call.method.lstrip("/").partition("/")
            is_known = method in _SILENT or hasattr(provider, f"_{method}")
            if service != "tfplugin6.Provider" or not is_known:
                return None
            return grpc.unary_unary_rpc_method_handler(
                lambda request, _: provider.answer(method, request)
            )

    server = grpc.server(ThreadPoolExecutor(4), handlers=(Handlers(),))
    with tempfile.TemporaryDirectory() as folder:
        address = f"{folder}/provider"
        server.add_insecure_port(f"unix:{address}")
        server.start()
        answer = f"{address}\n"
        while answer:
            sys.stdout.write(answer)
            sys.stdout.flush()
            answer = sys.stdin.readline()
            provider.down = answer.strip()


_SILENT: Final = (
    *("ValidateProviderConfig", "ValidateResourceConfig", "ValidateDataResourceConfig"),
    *("ConfigureProvider", "StopProvider"),
)
"""What it has nothing to say to."""


if __name__ == "__main__":
    main()
