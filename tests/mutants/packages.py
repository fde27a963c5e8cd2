"""Faults in packages of an app, and in their templates."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_PARTS: Final = "tests/packages/test_parts.py"
_STACK: Final = "tests/packages/test_cloudformation.py"
_EXPORTS: Final = "tests/packages/test_exports.py"
_REFUSED: Final = "tests/packages/test_exports_refused.py"
_RIGHTS: Final = "tests/packages/test_exports_rights.py"
_TERRAFORM: Final = "tests/packages/test_terraform.py"
_USES: Final = "tests/packages/test_uses.py"
_SETTINGS: Final = "tests/packages/test_deploy_settings.py"
_AWS: Final = "deploy/src/leeward_deploy/aws/handlers.py"
_GOOGLE: Final = "deploy/src/leeward_deploy/google"

MUTANTS: Final = (
    Mutant(
        "a wheel for a newer glibc is taken",
        "deploy/src/leeward_deploy/uv.py",
        "for each in range(minor, 4, -1)]",
        "for each in range(99, 4, -1)]",
        f"{_PARTS}::test_a_wheel_loads_where_its_tags_say",
    ),
    Mutant(
        "a zip has the order of the disk",
        "deploy/src/leeward_deploy/build.py",
        "for name in sorted(files):",
        "for name in files:",
        f"{_PARTS}::test_a_zip_has_the_same_bytes_whenever_and_in_whatever_order",
    ),
    Mutant(
        "what was built on this machine is shipped",
        "deploy/src/leeward_deploy/build.py",
        "if loadable.isdisjoint(tags):",
        "if not tags:",
        f"{_PARTS}::test_what_was_installed_is_looked_at_once_more",
    ),
    Mutant(
        "failed messages are taken for done on AWS",
        _AWS,
        'FunctionResponseTypes=["ReportBatchItemFailures"],',
        "",
        f"{_STACK}::test_on_aws_failed_messages_are_not_taken_for_done",
    ),
    Mutant(
        "a role on AWS names every table",
        "deploy/src/leeward_deploy/aws/roles.py",
        'arn_for("dynamodb", "table/", each, homes)',
        'arn_for("dynamodb", "table/", "*", homes)',
        f"{_STACK}::test_on_aws_a_role_names_what_it_may_touch",
    ),
    Mutant(
        "a handler that only stores may delete",
        "deploy/src/leeward_deploy/aws/roles.py",
        '"stores": {"GetItem", "PutItem"},',
        '"stores": {"GetItem", "PutItem", "DeleteItem"},',
        f"{_STACK}::test_on_aws_a_role_has_the_verbs_that_are_used",
    ),
    Mutant(
        "a prefix bounds no right to read",
        "deploy/src/leeward_deploy/aws/handlers.py",
        "return rights._replace(puts=rights.puts - places)",
        "return rights._replace(puts=rights.puts - places, gets=rights.gets | places)",
        f"{_STACK}::test_on_aws_a_prefix_bounds_what_a_handler_reads_and_writes",
    ),
    Mutant(
        "a name that the code does not show is left out",
        "deploy/src/leeward_deploy/uses.py",
        "            if texts is None:\n                self._unknown(",
        "            if texts is None and not scopes:\n                self._unknown(",
        f"{_USES}::test_what_the_code_does_not_show_is_told",
    ),
    Mutant(
        "consumers on AWS reserve what callers need",
        _AWS,
        "    if is_queued(handler):\n        return None\n    own = settings",
        "    own = settings",
        f"{_SETTINGS}::test_settings_reach_the_functions",
    ),
    Mutant(
        "what is there already on AWS is made once more",
        "deploy/src/leeward_deploy/aws/surroundings.py",
        "is_made = not table.exists and not",
        "is_made = not",
        f"{_SETTINGS}::test_what_is_there_already_is_referred_to_and_not_made",
    ),
    Mutant(
        "the open health on AWS may be asked without end",
        "deploy/src/leeward_deploy/aws/rules.py",
        "    return all(LEAST_CHECKS <= each <= MOST_CHECKS for each in (rate, burst))\n",
        "    return True\n",
        f"{_REFUSED}::test_a_planted_mistake_is_found",
    ),
    Mutant(
        "a dead letter on Google is kept nowhere",
        f"{_GOOGLE}/template.py",
        "    _keep(made, dead.name, letters)\n",
        "",
        f"{_TERRAFORM}::test_on_google_each_handler_is_pushed_to_and_its_dead_letters_are_kept",
    ),
    Mutant(
        "tables on Google are those of every database",
        f"{_GOOGLE}/roles.py",
        'resource.name == "{resource}"',
        'resource.name != ""',
        f"{_TERRAFORM}::test_on_google_an_account_has_roles_for_what_is_named_alone",
    ),
    Mutant(
        "a message on Azure has all of its attempts in a second",
        "deploy/src/leeward_deploy/azure/host.py",
        'WAIT: Final = "00:00:10"',
        'WAIT: Final = "00:00:00"',
        f"{_TERRAFORM}::test_on_azure_the_app_has_one_identity_and_no_key",
    ),
    Mutant(
        "a standby on AWS runs schedules, too",
        _AWS,
        'State="DISABLED" if region.standby else "ENABLED"',
        'State="ENABLED"',
        f"{_EXPORTS}::test_two_regions_do_nothing_twice",
    ),
    Mutant(
        "Azure tolerates as many failures as are to count",
        "deploy/src/leeward_deploy/azure/surroundings.py",
        "deployment.failures - 1",
        "deployment.failures",
        f"{_EXPORTS}::test_a_dead_region_is_left_after_150_seconds",
    ),
    Mutant(
        "a reference to nothing is taken",
        "deploy/src/leeward_deploy/terraform.py",
        "    yield from _dangling(document, schemas)\n",
        "",
        f"{_REFUSED}::test_a_planted_mistake_is_found",
    ),
    Mutant(
        "a role on AWS may do everything",
        "deploy/src/leeward_deploy/aws/rules.py",
        '        and not any("*" in action for action in _as_list(statement["Action"]))\n',
        "",
        f"{_REFUSED}::test_a_planted_mistake_is_found",
    ),
    Mutant(
        "a role on AWS allows calls of its own region alone",
        "deploy/src/leeward_deploy/aws/roles.py",
        '    sites = (Site("${AWS::Region}", declared), *others)\n',
        '    sites = (Site("${AWS::Region}", declared),)\n',
        f"{_RIGHTS}::test_the_own_calls_of_an_app_may_fail_over",
    ),
    Mutant(
        "one provider's files are written though another's are wrong",
        "deploy/src/leeward_deploy/commands/export.py",
        "            made[provider] = exporter(place)\n",
        "            made[provider] = exporter(place)\n"
        "            texts = {each.name: each.text for each in made[provider]}\n"
        "            store(request.out / provider, texts)\n",
        f"{_EXPORTS}::test_the_example_is_exported_from_one_command_line",
    ),
    Mutant(
        "tables of two regions share an account of Cosmos DB",
        "deploy/src/leeward_deploy/azure/surroundings.py",
        'CosmosAccount("" if region == regions[0] else f"-{region}", settings[region])',
        'CosmosAccount("", settings[region])',
        "tests/packages/test_exports.py::test_each_table_is_made_where_its_home_is",
    ),
    Mutant(
        "tables of two regions share a database of Firestore",
        "deploy/src/leeward_deploy/google/surroundings.py",
        "    if len({*found.values()}) < len(found):",
        "    if not found and homes:",
        "tests/packages/test_exports_refused.py::test_an_order_that_cannot_be_exported_is_refused",
    ),
    Mutant(
        "a link takes a file from outside into a package",
        "deploy/src/leeward_deploy/sources.py",
        "            _check_file(here / file, folder)\n",
        "",
        "tests/packages/test_parts.py::test_what_may_hold_a_secret_stays_behind",
    ),
    Mutant(
        "a private key goes into a package",
        "deploy/src/leeward_deploy/sources.py",
        '"id_rsa*", ',
        "",
        "tests/packages/test_parts.py::test_what_may_hold_a_secret_stays_behind",
    ),
    Mutant(
        "a package lacks what its code imports",
        "deploy/src/leeward_deploy/imports.py",
        "        if _has(contents, found):",
        "        if found.module:",
        "tests/packages/test_parts.py::test_what_code_imports_is_in_the_package",
    ),
    Mutant(
        "an import by its name is not seen",
        "deploy/src/leeward_deploy/imports.py",
        "            if isinstance(each, ast.Call):",
        "            if isinstance(each, ast.Assert):",
        "tests/packages/test_parts.py::test_what_code_imports_is_in_the_package",
    ),
    Mutant(
        "a stage says nothing",
        "src/leeward/config/stages.py",
        "    return _merge(rest, stages[stage])",
        "    return rest",
        "tests/config/test_stages.py::test_a_stage_is_laid_over_the_rest",
    ),
    Mutant(
        "the rows of a store are read whenever metrics are collected",
        "src/leeward/_delivery/depths.py",
        "            is_due = now - self._read >= READ_SECONDS and self._thread is None",
        "            is_due = self._thread is None",
        "tests/worker/test_telemetry.py::test_how_much_waits_is_read_at_most_once_in_a_while",
    ),
    Mutant(
        "a program shows the user's data",
        "src/leeward/masking.py",
        "    if TESTING not in os.environ:",
        "    if TESTING in os.environ:",
        "tests/test_testing.py::test_a_failed_assertion_of_a_user_shows_what_differs",
    ),
    Mutant(
        "a named configuration is not the one that counts",
        "deploy/src/leeward_deploy/commands/package.py",
        "load_settings(file=file or folder / SETTINGS, env=NOTHING, stage=stage)",
        "load_settings(file=folder / SETTINGS, env=NOTHING, stage=stage)",
        "tests/packages/test_requests.py::test_a_named_configuration_is_the_one_that_counts",
    ),
    Mutant(
        "a name with a star becomes a right",
        "deploy/src/leeward_deploy/commands/package.py",
        '            if "*" in own or "?" in own:',
        '            if "*?" in own:',
        "tests/packages/test_requests.py::test_a_name_that_stands_for_others_gives_no_rights",
    ),
    Mutant(
        "CloudFormation resolves a text of the user's",
        "deploy/src/leeward_deploy/aws/export.py",
        '    if "{{resolve:" in json.dumps(resources):',
        "    if not resources:",
        "tests/packages/test_exports_refused.py::test_no_text_of_the_users_is_resolved_by_cloudformation",
    ),
    Mutant(
        "the app of a package is the one in leeward.toml, whatever --config names",
        "deploy/src/leeward_deploy/commands/package.py",
        "settings_of(request.folder, request.settings) if is_there",
        "settings_of(request.folder, None) if is_there",
        "tests/packages/test_requests.py::test_of_several_apps_the_one_in_the_settings_is_taken",
    ),
    Mutant(
        "a zip is without the embedded target that a library opens",
        "deploy/src/leeward_deploy/build.py",
        "for file in (*own_code, *libraries) if",
        "for file in own_code if",
        "tests/packages/test_parts.py::test_what_code_names_goes_along",
    ),
    Mutant(
        "a zip is without the embedded target that the order names",
        "deploy/src/leeward_deploy/commands/package.py",
        'return EMBEDDED in {name.partition(":")[0] for name in named}',
        "return EMBEDDED in named",
        "tests/packages/test_requests.py::test_a_package_has_the_embedded_target_if_it_is_named",
    ),
)
