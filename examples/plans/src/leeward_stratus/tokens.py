"""Tokens: Stratus gives one for an hour to whoever has an id and a secret."""

from time import time

from leeward.adapter import TargetConfig
from leeward.adapter.options import Values
from leeward.adapter.resolver import Resolved, Source, Token
from leeward.adapter.service import JSON
from leeward.adapter.tokens import TokenEndpoint, end_in, good_until, sound
from leeward.adapter.wire import Request, Transport
from leeward.json_text import encode

TOKEN = Token("stratus")
"""What every plan needs. The driver keeps it, and renews it before it ends."""


def source_of(settings: Values, _: TargetConfig, transport: Transport) -> Source:
    """Return what fetches `TOKEN`; it may block, for it has a thread of its own."""
    client = {name: settings[name] for name in ("client_id", "client_secret")}
    request = Request("POST", settings["url"], "/token", JSON, encode(client))
    where = "Stratus's token endpoint"
    endpoint = TokenEndpoint(where, transport, remedy="check client_id and client_secret")

    def fetch(_: Token, timeout: float) -> Resolved:
        found = endpoint.document(lambda: request, timeout)
        token = sound(found.get("access_token"), "access_token", where)
        now = time()
        return good_until(end_in(found, now, where), token, now, where)

    return fetch
