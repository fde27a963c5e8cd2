"""``leeward targets`` finds every kind of mistake in a ``leeward.toml``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Leeward

# what is written in the file; the key that the message names; the remedy that it gives
MISTAKES: dict[str, tuple[str, str, str]] = {
    "not TOML": ("source = ", "leeward.toml", "is not TOML"),
    "misspelt key": ("sorce = 'shop'", "sorce", "did you mean 'source'"),
    "dead letters of nowhere": ("[dead_letters]\nd = []", "dead_letters.d", "at least one"),
    "misspelt section": ("[function.f]", "function", "did you mean 'functions'"),
    "unknown way back": ("fail_back = 'never'", "fail_back", "prefer_primary, sticky, manual"),
    "hedge that is a number": ("hedge = 1", "hedge", "must be true or false"),
    "weights of everything": ("weights = { local = 100 }", "weights.local", "less than 100"),
    "weights that add up": (
        "weights = { 'local:a' = 60, 'local:b' = 40 }",
        "weights",
        "100 percent or more",
    ),
    "weight of a misspelt target": ("weights = { locl = 5 }", "weights.locl", "did you mean"),
    "residency of a misspelt target": ("residency = { locl = 'eu' }", "residency.locl", "'local'"),
    "health checks too often": ("[health_checks]\ninterval = 0.1", "interval", "at least 1 s"),
    "health checks without a count": ("[health_checks]\nfailures = 0", "failures", "from 1 to"),
    "misspelt health check": ("[health_checks]\nintervall = 3", "intervall", "'interval'"),
    "empty group": ("[groups.g]\ntargets = ['local']", "groups.g", "no function and no bus"),
    "group with a target twice": (
        "[groups.g]\nfunctions = ['f']\ntargets = ['local', 'LOCAL']",
        "groups.g.targets",
        "twice",
    ),
    "group with a function twice": (
        "[groups.g]\nfunctions = ['f', 'f']",
        "groups.g.functions",
        "only once",
    ),
    "group of nobody in the order": (
        "[groups.g]\nfunctions = ['f']\ntargets = ['local:z']",
        "groups.g",
        "no target of the order",
    ),
    "two groups with one function": (
        "[groups.g]\nfunctions = ['f']\n[groups.h]\nfunctions = ['f']",
        "groups.h",
        "another group",
    ),
    "group of a residency that is not there": (
        "[groups.g]\nbuses = ['b']\nresidency = 'eu'",
        "groups.g.residency",
        "[residency]",
    ),
    "home outside the residency": (
        "[tables.t]\nhome = 'local'\nresidency = 'eu'\n[residency]\nlocal = 'us'",
        "tables.t.residency",
        "another home",
    ),
    "unknown way back of a group": (
        "[groups.g]\nfunctions = ['f']\nfail_back = 1",
        "groups.g.fail_back",
        "must be one of",
    ),
    "a section that is a number": ("buses = 3", "buses", "must be a table"),
    "misspelt provider of the order": ("cloud_provider = 'lokal'", "lokal", "did you mean 'local'"),
    "order with a hole": ("cloud_provider = 'local:a,,local:b'", "cloud_provider", "empty entry"),
    "target named twice": ("cloud_provider = 'local,local'", "cloud_provider", "each target once"),
    "order with blanks": ("cloud_provider = 'local a'", "cloud_provider", "provider:qualifier"),
    "adapter of another package": ("cloud_provider = 'ibm'", "ibm", "known: "),
    "misspelt home of all": ("data_target = 'locl'", "data_target", "did you mean 'local'"),
    "misspelt home": ("[tables.t]\nhome = 'locl:a'", "tables.t.home", "did you mean 'local'"),
    "misspelt place of runs": (
        "workflow_target = 'locl'",
        "workflow_target",
        "did you mean 'local'",
    ),
    "workflow without a definition": ("[workflows.order]", "workflows.order", "lacks 'definition'"),
    "misspelt key of a workflow": (
        "[workflows.order]\ndefinitoin = 'a:b'",
        "workflows.order.definitoin",
        "did you mean 'definition'",
    ),
    "empty source": ("source = ''", "source", "non-empty string"),
    "long source": (f"source = '{'x' * 1025}'", "source", "at most 1024 characters"),
    "switch that is text": ("trust_env = 'no'", "trust_env", "must be true or false"),
    "unknown effect": ("[functions.f]\neffect = 'safe'", "functions.f.effect", "must be one of"),
    "scope without keys": (
        "[functions.f]\ndedup_scope = 'group'",
        "functions.f.dedup_scope",
        "needs effect = 'keyed'",
    ),
    "unknown scope": (
        "[functions.f]\neffect = 'keyed'\ndedup_scope = 'all'",
        "functions.f.dedup_scope",
        "must be one of target, group",
    ),
    "queue that is text": ("[functions.f]\nqueue = 'yes'", "functions.f.queue", "true or false"),
    "misspelt key of a function": ("[functions.f]\ntimeot = 3", "functions.f.timeot", "'timeout'"),
    "marks that are text": ("[functions.f]\nmarks = 'yes'", "functions.f.marks", "true or false"),
    "timeout that is text": ("[buses.b]\ntimeout = '5s'", "buses.b.timeout", "number of seconds"),
    "timeout of nothing": ("[buses.b]\ntimeout = 0", "buses.b.timeout", "must be more than 0"),
    "timeout of days": ("[tables.t]\ntimeout = 1e6", "tables.t.timeout", "at most 86400"),
    "key of three fields": ("[tables.t]\nkey = ['a', 'b', 'c']", "tables.t.key", "partition and a"),
    "field twice in a key": ("[tables.t]\nkey = ['a', 'a']", "tables.t.key", "'a' twice"),
    "name for an unknown target": (
        "[buses.b]\nnames = { gogle = 'x' }",
        "buses.b.names.gogle",
        "did you mean 'google'",
    ),
    "empty name": ("[buses.b]\nnames = { aws = '' }", "buses.b.names.aws", "non-empty string"),
    "one target under two names": (
        "[buses.b]\nnames = { gcp = 'x', google = 'y' }",
        "buses.b.names",
        "keep one of them",
    ),
    "section of an unknown target": ("[targets.locl]", "targets.locl", "did you mean 'local'"),
    "section of a target that nothing has": (
        "cloud_provider = 'local:a'\n[targets.'local:A']",
        'targets."local:A"',
        "did you mean 'local:a'",
    ),
    "misspelt option": ("[targets.local]\npaht = 'x'", "'paht'", "did you mean 'path'"),
    "option of another type": ("[targets.local]\npath = 3", "'path'", "must be a str"),
    "empty path": ("[targets.local]\npath = ''", "'path'", "name a file"),
    "function without a module": (
        "[targets.local]\nfunctions = { f = 'shop' }",
        "functions.'f'",
        "module:name",
    ),
    "module that is not there": (
        "[targets.local]\nfunctions = { f = 'no_such_shop:f' }",
        "functions.'f'",
        "check its name",
    ),
    "function that is not there": (
        "[targets.local]\nfunctions = { f = 'json:f' }",
        "functions.'f'",
        "correct the name",
    ),
    "subscription without a bus": (
        "[targets.local]\nsubscriptions = [{ function = 'json:dumps' }]",
        "subscriptions[0]",
        "'bus'; add it",
    ),
}

IN_CODE = ("module that is not there", "function that is not there")
"""Found by a command that needs the functions: `leeward targets` imports none."""


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_planted_mistake_is_found(leeward: Leeward, bare: Path, kind: str) -> None:
    """The message names the file, the key and what to do."""
    text, key, remedy = MISTAKES[kind]
    (bare / "leeward.toml").write_text(text)
    done = leeward(*(("invoke", "f") if kind in IN_CODE else ("targets",)))
    assert (done.code, done.out) == (2, "")
    assert key in done.err
    assert remedy in done.err
    assert "leeward.toml" in done.err
