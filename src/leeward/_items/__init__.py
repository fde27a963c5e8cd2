"""Items as a provider's native documents, readable by other programs, and exactly back.

`checks.checked_size` refuses what cannot be kept, `encoding.encode` writes a document, and
`decoding.decode` reads it. Between an item and its document stand *plain* values, which the
provider holds exactly, and a *type tree*, which marks only what those no longer tell: that a number
was a float, a string bytes. ``docs/items.md`` shows documents, the reserved attribute `_leeward`,
and what is read once another program has changed one.

What differs between providers is data: one `Profile` each, which lives in the provider's adapter.
Adapters import all this from `leeward.adapter.items`.
"""
