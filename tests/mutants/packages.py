"""Faults in packages of an app, and in their templates."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "an edge keeps nothing of what follows a prefix",
        "extras/deploy/src/leeward_deploy/edge/rules.py data_of",
        "is_prefix(target)",
        "False",
        "tests/edge/test_exports.py::test_a_url_map_and_cloud_armor_are_given_what_the_rules_mean",
    ),
    Mutant(
        "a denial is exported whose expression Cloud Armor does not take",
        "extras/deploy/src/leeward_deploy/google/edge.py _check",
        "AROUND + len(rule.path)",
        "len(rule.path)",
        "tests/edge/test_exports.py"
        "::test_google_gets_no_map_without_routes_and_no_longer_expression",
    ),
    Mutant(
        "a wheel for a newer glibc is taken",
        "extras/deploy/src/leeward_deploy/uv.py Goal.arguments",
        "each <= self.glibc",
        "True",
        "tests/packages/test_parts.py::test_uv_is_asked_for_the_newest_glibc_that_is_not_too_new",
    ),
    Mutant(
        "native code that was built here goes along",
        "extras/deploy/src/leeward_deploy/build.py check_built",
        "canonicalize_name(name) in map(canonicalize_name, names) and not is_pure",
        "False",
        "tests/packages/test_parts.py::test_what_was_built_here_is_pure_python",
    ),
    Mutant(
        "a line of a .gitignore takes a secret along",
        "extras/deploy/src/leeward_deploy/sources.py Rules.reason",
        "why.startswith(f'by {OWN}')",
        "True",
        "tests/packages/test_parts.py::test_what_may_hold_a_secret_stays_behind",
    ),
    Mutant(
        "code that names leeward otherwise does not ask what ran",
        "extras/deploy/src/leeward_deploy/imports.py asks_what_ran",
        "alias.asname or 'leeward'",
        "'leeward'",
        "tests/packages/test_requests.py::test_a_package_brings_what_ran_if_its_code_asks",
    ),
    Mutant(
        "a name that the code does not show is left out",
        "extras/deploy/src/leeward_deploy/uses.py Uses._look_at_call",
        "if texts is None:\n    ...\nelse:\n    ...",
        "if texts is None and (not scopes):\n    ...\nelse:\n    ...",
        "tests/packages/test_uses.py::test_what_the_code_does_not_show_is_told",
    ),
    Mutant(
        "a subscription on Google is called by the handler of today",
        "extras/deploy/src/leeward_deploy/changes.py keep_names",
        "key in known.get(name, {})",
        "False",
        "tests/packages/test_module_google.py::test_what_was_renamed_keeps_its_subscription",
    ),
    Mutant(
        "a topic of a region that the app has left gets another name",
        "extras/deploy/src/leeward_deploy/changes.py _names_of",
        "own != _own_name(fact, each)",
        "False",
        "tests/packages/test_facts.py::test_a_name_of_one_region_stays_that_of_this_region",
    ),
    Mutant(
        "a topic on Azure moves to the region that serves",
        "extras/deploy/src/leeward_deploy/azure/facts.py _buses_of",
        "[each for each in shared[0] if each in data] + shared[0]",
        "shared[0]",
        "tests/packages/test_azure.py::test_a_bus_whose_name_two_regions_share_has_one_home",
    ),
    Mutant(
        "the host of Azure makes dead letters that leeward is to give up",
        "extras/deploy/src/leeward_deploy/azure/facts.py adapt",
        "letters.by_leeward",
        "not letters.by_leeward",
        "tests/packages/test_azure.py::"
        "test_a_queue_has_its_logical_name_and_dead_letters_where_leeward_gives_up",
    ),
    Mutant(
        "what the app does not name any more is forgotten",
        "extras/deploy/src/leeward_deploy/changes.py compare",
        "if before is not None:\n    ...",
        "if False:\n    pass",
        "tests/packages/test_facts.py::test_what_keeps_state_never_drops_out",
    ),
    Mutant(
        "another key of a table is planned",
        "extras/deploy/src/leeward_deploy/changes.py _refusals",
        "was != will",
        "False",
        "tests/packages/test_facts.py::test_a_change_that_would_lose_data_is_refused",
    ),
    Mutant(
        "who writes below a prefix may write everywhere",
        "extras/deploy/src/leeward_deploy/facts.py _rights_in",
        "places['puts'] - whole | written",
        "places['puts'] | written",
        "tests/packages/test_facts.py::test_rights_are_narrow",
    ),
    Mutant(
        "an edited module is overwritten",
        "extras/deploy/src/leeward_deploy/infrastructure.py module_files",
        "copied.get('digest') == digest_of(here)",
        "True",
        "tests/packages/test_facts.py::test_a_module_is_copied_once_and_left_alone_when_edited",
    ),
    Mutant(
        "edited facts are taken",
        "extras/deploy/src/leeward_deploy/facts.py facts_from",
        "facts['digest'] == digest_of(facts)",
        "True",
        "tests/packages/test_facts.py::test_facts_that_somebody_has_edited_are_refused",
    ),
    Mutant(
        "one of two resources of one name moves to the other",
        "extras/deploy/src/leeward_deploy/moves.py moves_in",
        "len(first) == 1 and len(come.get(key, ())) == 1",
        "come.get(key)",
        "tests/packages/test_facts.py::"
        "test_a_move_is_from_what_goes_to_what_comes_under_the_same_name",
    ),
    Mutant(
        "a queue that may be deleted is as the files have it",
        "adapters/aws/src/leeward_aws/resources.py _queue",
        "'sqs:DeleteQueue' in denied",
        "True",
        "tests/packages/test_exports_applied.py::test_what_was_changed_since_is_told",
    ),
)
