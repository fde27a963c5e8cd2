"""A program in the hardened mode: it sends one request to each service of its target.

Started with the port of the server that it is configured for, and the file of who to trust.
"""

from __future__ import annotations

import sys

from leeward._http.messages import Request, Response
from leeward._http.options import options_from_env
from leeward._http.threads import CurlTransport
from leeward.adapter import TargetConfig
from leeward_aws.settings.options import settings_from


def main(port: str, ca_file: str) -> None:
    """Print for each request the status, or the code of what stood in its way."""
    options = {
        "endpoint_url": f"https://localhost:{port}",
        "allowed_hosts": [f"localhost:{port}"],
        "allow_private": True,
        "ca_bundle": ca_file,
    }
    target = TargetConfig("aws:us-east-1", "aws", "us-east-1", options, {}, trust_env=False)
    settings = settings_from(target)
    wire = options_from_env({}, settings.http.ca_bundle)._replace(
        public_only=settings.http.public_only
    )
    transport = CurlTransport(wire)
    for origin in settings.endpoints.values():
        answer = transport.send(Request("POST", origin, "/", (), b"x"), 20.0)
        sys.stdout.write(f"{answer.status if isinstance(answer, Response) else answer.code}\n")
    transport.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
