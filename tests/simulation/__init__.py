"""The routing in virtual time: many calls, every kind of fault, and promises that must hold.

`world` is what really happens, `faults` what goes wrong, `scenarios` when and where, `traffic` who
calls what. `runner` carries out what a router asks for: leeward's own core (`leeward_router`), or
the loop that everybody writes (`naive`). `invariants` lists what must hold; `call_invariants` and
`work_invariants` check it, with rules of their own: they do not import the router's table.
`episodes` runs one after the other, `counters` counts, `report` prints. `mutants` are routers with
seeded bugs, which the invariants have to see.

`python -m tests.simulation --calls 1000000`; one seed reproduces everything.
"""
