"""A pytest plugin that loses answers, and names each effect that was sent twice.

`wire` sees what clients send and receive, `postgres` does so for libpq. `effects` reads requests,
`stacks` says who sent them, `runs` keeps what one run of a test sent and compares it with another,
`plugin` runs tests once more, `report` writes.
"""
