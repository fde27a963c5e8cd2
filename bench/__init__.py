"""What leeward costs, measured beside what people would use otherwise: `python -m bench`.

Each part has its vendor's clients on one side and leeward on the other, and both talk to a server
on loopback that answers at once with fixed bytes. Beside them runs the floor: the same request by
bare pycurl, with no signer, no checks and no reading of the answer, because no client that is
built on libcurl can cost less than that.
"""
