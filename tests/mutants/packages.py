"""Faults in packages of an app, and in their templates."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a wheel for a newer glibc is taken",
        "deploy/src/leeward_deploy/uv.py Goal.tags",
        "range(minor, 4, -1)",
        "range(99, 4, -1)",
        "tests/packages/test_parts.py::test_a_wheel_loads_where_its_tags_say",
    ),
    Mutant(
        "failed messages are taken for done on AWS",
        "deploy/src/leeward_deploy/aws/handlers.py _queue",
        "resource(..., EventSourceArn=source, FunctionName={'Ref': id}, BatchSize=10, "
        "FunctionResponseTypes=['ReportBatchItemFailures'], ScalingConfig=None if most "
        "is None else {'MaximumConcurrency': most})",
        "resource(..., EventSourceArn=source, FunctionName={'Ref': id}, BatchSize=10, "
        "ScalingConfig=None if most is None else {'MaximumConcurrency': most})",
        "tests/packages/test_cloudformation.py::test_on_aws_failed_messages_are_not_taken_for_done",
    ),
    Mutant(
        "a name that the code does not show is left out",
        "deploy/src/leeward_deploy/uses.py Uses._look_at_call",
        "if texts is None:\n    ...\nelse:\n    ...",
        "if texts is None and (not scopes):\n    ...\nelse:\n    ...",
        "tests/packages/test_uses.py::test_what_the_code_does_not_show_is_told",
    ),
    Mutant(
        "what is there already on AWS is made once more",
        "deploy/src/leeward_deploy/aws/surroundings.py resources_around",
        "not table.exists and (not table.name.startswith('arn:'))",
        "not table.name.startswith('arn:')",
        "tests/packages/test_deploy_settings.py::"
        "test_what_is_there_already_is_referred_to_and_not_made",
    ),
    Mutant(
        "the open health on AWS may be asked without end",
        "deploy/src/leeward_deploy/aws/rules.py _limits_health",
        "all((LEAST_CHECKS <= each <= MOST_CHECKS for each in (rate, burst)))",
        "True",
        "tests/packages/test_exports_refused.py::test_a_planted_mistake_is_found",
    ),
    Mutant(
        "a dead letter on Google is kept nowhere",
        "deploy/src/leeward_deploy/google/template.py _push",
        "_keep(made, dead.name, letters)\n...",
        "...",
        "tests/packages/test_terraform.py::"
        "test_on_google_each_handler_is_pushed_to_and_its_dead_letters_are_kept",
    ),
    Mutant(
        "Azure tolerates as many failures as are to count",
        "deploy/src/leeward_deploy/azure/surroundings.py add_failover",
        "deployment.failures - 1",
        "deployment.failures",
        "tests/packages/test_exports.py::test_a_dead_region_is_left_after_150_seconds",
    ),
    Mutant(
        "a role on AWS allows calls of its own region alone",
        "deploy/src/leeward_deploy/aws/roles.py of_app",
        "(Site('${AWS::Region}', declared), *others)",
        "(Site('${AWS::Region}', declared),)",
        "tests/packages/test_exports_rights.py::test_the_own_calls_of_an_app_may_fail_over",
    ),
)
