"""A proxy for tests that breaks connections and answers on command.

    with FaultProxy(upstream=server.address) as proxy:
        proxy.inject(toxics.answer_lost(), times=1)
        ...  # talk to proxy.url
        proxy.wait_idle()
        assert proxy.requests[0].toxic == "answer_lost"

It reads each request in full, passes its bytes on as they came, over a fresh connection, and reads
the answer in full before the client gets any of it. It does not answer `Expect: 100-continue`, and
drops interim answers.
"""

from tests.servers.faultproxy import toxics
from tests.servers.faultproxy.ledger import ConnectionSeen, Ending, RequestSeen
from tests.servers.faultproxy.proxy import FaultProxy

__all__ = ["ConnectionSeen", "Ending", "FaultProxy", "RequestSeen", "toxics"]
