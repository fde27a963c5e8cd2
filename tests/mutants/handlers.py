"""Faults of what handlers tell: in logs, of their inputs, of their health."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_CORE: Final = "tests/app/test_core.py"
_LOGS: Final = "src/leeward/logs.py"
_WATCHING: Final = "tests/client/test_watching.py"

MUTANTS: Final = (
    Mutant(
        "the text of anybody's exception is logged",
        _LOGS,
        "if isinstance(error, LeewardError) and not isinstance(error, InvalidRequest):",
        "if True:",
        f"{_CORE}::test_a_failure_says_where_it_comes_from",
    ),
    Mutant(
        "a subclass of a user's passes for an error of leeward's",
        _LOGS,
        'type(error).__module__.startswith("leeward.")',
        "True",
        f"{_CORE}::test_a_failure_says_where_it_comes_from",
    ),
    Mutant(
        "a failure does not say where it comes from",
        _LOGS,
        '        facts["at"] = ", ".join(places)\n',
        "        pass\n",
        f"{_CORE}::test_a_failure_says_where_it_comes_from",
    ),
    Mutant(
        "JSON logs drop what was logged beside the text",
        "src/leeward/app/telemetry.py",
        "            if name not in _RECORD:",
        "            if False:",
        "tests/app/test_json_logs.py::test_whatever_is_logged_is_a_line",
    ),
    Mutant(
        "whoever asks for the health of an instance makes it try each time",
        "src/leeward/app/warming.py",
        "                self._due = monotonic() + RETRY_PAUSE\n",
        "                pass\n",
        "tests/app/test_app.py::test_an_instance_that_cannot_make_what_it_shares_is_not_healthy",
    ),
    Mutant(
        "what ends the loop of coroutines is not logged",
        "src/leeward/app/context.py",
        'log_event(LOGGER, "warning", "loop_restarted"',
        'log_event(LOGGER, "debug", "loop_restarted"',
        f"{_CORE}::test_a_coroutine_that_ends_the_program_or_its_loop_ends_itself_alone",
    ),
    Mutant(
        "a warm-up that fails is raised to the platform, with its text",
        "src/leeward/app/host.py",
        "        except BaseException as error:  # noqa: BLE001 - reported by the first call",
        "        except KeyError as error:  # reported by the first call",
        "tests/app/test_app.py::test_no_platform_is_told_why_a_warm_up_has_failed",
    ),
    Mutant(
        "a module that cannot be imported does not say what it lacks",
        _LOGS,
        "        is_missing = isinstance(error, ModuleNotFoundError)\n",
        "        is_missing = False\n",
        "tests/local/test_config.py::test_a_module_that_fails_is_a_configuration_error",
    ),
    Mutant(
        "of an input with several flaws the first alone is told",
        "src/leeward/app/structures.py",
        "    first.others = rest[: MOST - 1]\n",
        "",
        "tests/app/test_decoding.py::test_everything_that_does_not_fit_is_told_at_once",
    ),
    Mutant(
        "a name that is nearly a known one is not named",
        "src/leeward/_operations/results.py",
        "            if near and near not in str(error):\n",
        "            if False:\n",
        "tests/client/test_methods.py::test_a_name_that_is_nearly_a_known_one_is_named",
    ),
    Mutant(
        "of several apps the one that leeward.toml names is not taken",
        "deploy/src/leeward_deploy/commands/package.py",
        "calls[0] if calls else named[0] if named else find_app(modules)",
        "calls[0] if calls else find_app(modules)",
        "tests/packages/test_requests.py::test_of_several_apps_the_one_in_the_settings_is_taken",
    ),
    Mutant(
        "an app with handlers is shown as one with none",
        "src/leeward/cli/commands/targets.py",
        "_with_handlers(json_of_target(_isolate(each, words)), config)",
        "json_of_target(_isolate(each, words))",
        "tests/cli/test_targets.py::test_what_a_file_names_is_counted_although_nothing_is_imported",
    ),
    Mutant(
        "a handler of logs that raises ends the call",
        _LOGS,
        "        if is_from_signal(error):\n            raise\n",
        "        raise\n",
        f"{_WATCHING}::test_a_log_handler_that_raises_changes_no_outcome",
    ),
    Mutant(
        "what the handler of a signal raises is taken for a watcher's",
        _LOGS,
        "if is_from_signal(error):",
        "if False:",
        f"{_WATCHING}::test_what_asks_a_thread_to_end_goes_on",
    ),
    Mutant(
        "a span processor that raises ends the call",
        "src/leeward/otel.py",
        "            with only_watching(log_flaw):\n                ends.close()\n",
        "            ends.close()\n",
        f"{_WATCHING}::test_an_sdk_that_raises_changes_no_outcome",
    ),
    Mutant(
        "a metric that raises turns a handler that has run into one that has failed",
        "src/leeward/app/telemetry.py",
        "        with only_watching(log_flaw):\n            self._count(",
        "        if True:\n            self._count(",
        f"{_WATCHING}::test_an_sdk_that_raises_changes_no_outcome",
    ),
)
