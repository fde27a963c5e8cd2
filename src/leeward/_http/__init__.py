"""The wire: requests and responses, and the transports that carry them, for threads and asyncio.

`wire` is where it begins: it gives the transport that fits the caller. `threads` and `aio` are the
transports; `exchange` is the machine that both drive, over a `connection` that libcurl has made.
"""
