"""An index of retry safety: what SDKs do when an answer is lost, measured: ``python -m index``.

`sdks.toml` has a row for each SDK. Its program runs in an environment of its own (`drive.py`),
where every name leads to a server on loopback, which does what it is asked and loses the answer
(`server.py`).
"""
