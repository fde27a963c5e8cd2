"""The router on real sockets: three targets behind fault proxies, and one of them goes wrong.

``python -m tests.routing.real_sockets`` measures what simulation cannot: how many calls are
answered while a target is dark, refuses, throttles or is a hundred times slower, by 16 threads and
by 64 tasks. Figures are shares of the same run's healthy seconds, because the machine may be busy
with other things as well.

With ``places`` as its argument it makes 1,000 unsafe calls at once over 64 places of each target,
and 300 stores over those of one, and nothing else: none may be cut off.
"""
