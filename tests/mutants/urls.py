"""Faults of functions by URL: the adapter, the server, and orders of unlike targets."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

HTTP: Final = "adapters/http/src/leeward_http"
APP: Final = "src/leeward/app"
FOREIGN: Final = "tests/urls/test_foreign.py"
SETTINGS: Final = "tests/urls/test_settings.py"
IDENTITY: Final = "tests/urls/test_identity.py"
SERVING: Final = "tests/app/test_serving.py"

_TOOLS: Final = "tests/urls/test_tools.py"


def _tool(fault: str, old: str, new: str, test: str) -> Mutant:
    return Mutant(fault, "adapters/http/src/leeward_http/tools.py", old, new, f"{_TOOLS}::{test}")


MUTANTS: Final = (
    _tool(
        "that a tool is not known counts as a proof",
        "meaning = APP_ERROR if number in FUNCTIONS_ERRORS else AMBIGUOUS",
        "meaning = APP_ERROR if number != -32602 else REJECTED",
        "test_no_answer_to_a_call_proves_that_the_tool_did_not_run",
    ),
    _tool(
        "a session that was lost counts as a proof",
        "meaning = REJECTED if is_proved else AMBIGUOUS",
        "meaning = REJECTED",
        "test_no_answer_to_a_call_proves_that_the_tool_did_not_run",
    ),
    _tool(
        "the answer to another message is taken for that of the call",
        'message.get("id") == id and ',
        "",
        "test_the_answer_is_one_of_the_events_of_a_stream",
    ),
    _tool(
        "an unsafe call does not ask whether its session lives",
        "session.id and call.effect is Effect.UNSAFE",
        "session.id and False",
        "test_a_session_that_was_lost_is_opened_again",
    ),
    _tool(
        "a session that was lost is used for ever",
        "        yield Learn(name, None)\n",
        "        pass\n",
        "test_a_session_that_was_lost_is_opened_again",
    ),
    _tool(
        "a server without sessions is opened one",
        "isinstance(versions, list) and VERSION in versions",
        "False",
        "test_a_server_without_sessions_is_told_everything_with_each_message",
    ),
    Mutant(
        "a refusal that was declared of one function counts for all",
        f"{HTTP}/functions.py",
        "    platform = own.get(call.function, platform)\n",
        "    platform = next(iter(own.values()), platform)\n",
        f"{FOREIGN}::test_a_refusal_that_was_declared_moves_on",
    ),
    Mutant(
        "a busy service proves that nothing ran, though nobody has declared it",
        "src/leeward/adapter/http_functions.py",
        "return _UNMARKED if status >= 500 or",
        "return REJECTED if status == 503 else _UNMARKED if status >= 500 or",
        f"{FOREIGN}::test_a_refusal_of_a_foreign_service_proves_nothing",
    ),
    Mutant(
        "a gateway's status may be declared as a refusal",
        f"{HTTP}/settings.py",
        "413, 415, 429, 503})",
        "413, 415, 429, 500, 502, 503, 504})",
        f"{SETTINGS}::test_what_is_wrong_is_refused_before_anything_is_sent",
    ),
    Mutant(
        "a declared 401 is tried elsewhere",
        f"{HTTP}/settings.py",
        "BY_PLATFORM.get(known[word], REJECTED)",
        "REJECTED",
        f"{FOREIGN}::test_a_declared_refusal_means_what_its_status_says",
    ),
    Mutant(
        "a name leads to another path",
        f"{HTTP}/functions.py",
        "settings.url and re.fullmatch(_NAME, function)",
        "settings.url",
        f"{SETTINGS}::test_a_name_is_never_a_url_nor_another_path",
    ),
    Mutant(
        "a token goes in clear to another machine",
        f"{HTTP}/settings.py",
        "        check_token_goes_safely(url.origin, where)\n",
        "        pass\n",
        f"{SETTINGS}::test_what_is_wrong_is_refused_before_anything_is_sent",
    ),
    Mutant(
        "a payload goes in clear without a word",
        f"{HTTP}/settings.py",
        '    if not values["allow_http"]:\n',
        "    if False:\n",
        f"{SETTINGS}::test_what_is_wrong_is_refused_before_anything_is_sent",
    ),
    Mutant(
        "hardened, a URL may be http",
        f"{HTTP}/settings.py",
        '    check_host(url.origin, where, values.config, own=True, whose="")\n',
        "",
        f"{SETTINGS}::test_the_hardened_mode_takes_nothing_from_the_environment",
    ),
    Mutant(
        "the path of a URL, which may be a key, is shown",
        f"{HTTP}/driver.py",
        '"/".join(settings.url.removeprefix(MCP).split("/")[:3])',
        "settings.url",
        f"{SETTINGS}::test_secrets_are_in_no_repr_and_no_setting",
    ),
    Mutant(
        "a token file is read once",
        f"{HTTP}/functions.py",
        "    return Resolved(token, now, now + TOKEN_SECONDS)\n",
        "    return Resolved(_kept.setdefault(path, token), now, now + TOKEN_SECONDS)\n\n\n"
        "_kept: dict[str, str] = {}\n",
        f"{IDENTITY}::test_a_token_in_a_file_may_change",
    ),
    Mutant(
        "no certificate is shown",
        "src/leeward/_http/libcurl.py",
        "        if options.client_certificate is not None:\n",
        "        if False:\n",
        f"{IDENTITY}::test_a_caller_shows_its_certificate",
    ),
    Mutant(
        "a host that has no place is taken for the function",
        "src/leeward/adapter/repeats.py",
        '    if fault.ran == "no" and fault.type == HOST_REFUSAL:\n',
        "    if False:\n",
        f"{SERVING}::test_calls_beyond_the_places_are_refused_and_go_elsewhere",
    ),
    Mutant(
        "calls wait for a place without end",
        f"{APP}/serving.py",
        "        if not self._places.acquire(timeout=PLACE_SECONDS):\n",
        "        if not self._places.acquire():\n",
        f"{SERVING}::test_calls_beyond_the_places_are_refused_and_go_elsewhere",
    ),
    Mutant(
        "a call that waited has all of its time",
        "src/leeward/app/host.py",
        "min(seconds, sent.seconds - waited)",
        "seconds",
        f"{SERVING}::test_a_call_that_waited_has_less_time",
    ),
    Mutant(
        "the wait for a thread does not count",
        f"{APP}/http_server.py",
        "connection.began or monotonic()",
        "monotonic()",
        f"{SERVING}::test_a_call_that_waited_for_a_thread_has_less_time",
    ),
    Mutant(
        "a part of a head takes a thread",
        f"{APP}/connection.py",
        "        return is_whole or not data or len(self._came) > HEAD_BYTES\n",
        "        return True\n",
        f"{SERVING}::test_it_does_not_matter_how_the_bytes_of_a_request_are_split",
    ),
    Mutant(
        "a draining server runs calls on open connections",
        f"{APP}/http_server.py",
        '            return self._send(arrival, busy_answer("this process ends", mark))\n',
        "            pass\n",
        f"{SERVING}::test_draining_lets_calls_end_and_refuses_others",
    ),
    Mutant(
        "a page in a browser may call",
        f"{APP}/serving.py",
        '            if "origin" in head.headers:\n',
        "            if False:\n",
        f"{SERVING}::test_a_request_that_two_readers_could_read_in_two_ways_is_refused",
    ),
    Mutant(
        "health waits for work, and nobody is refused",
        f"{APP}/http_server.py",
        "            is_upkeep = self.check(head)\n",
        "            is_upkeep = False\n",
        f"{SERVING}::test_health_waits_for_no_work_and_no_body",
    ),
    Mutant(
        "any name is that of this machine",
        f"{APP}/serving.py",
        "                check_own_name(head, self.address)\n",
        "                pass\n",
        f"{SERVING}::test_a_name_that_leads_here_is_not_this_machine",
    ),
    Mutant(
        "any token is a good one",
        f"{APP}/serving.py",
        'if scheme.lower() != "bearer" or not any(known):',
        'if scheme.lower() != "bearer":',
        f"{IDENTITY}::test_a_token_in_a_file_may_change",
    ),
    Mutant(
        "an open address needs no word",
        f"{APP}/serving.py",
        "    if not tokens and not anonymous and not is_this_machine(address):\n",
        "    if False:\n",
        f"{SERVING}::test_what_is_wrong_is_refused_at_once",
    ),
    Mutant(
        "a length and a coding both count",
        f"{APP}/connection.py",
        '        if length is not None or coding.lower() != "chunked":\n',
        '        if coding.lower() != "chunked":\n',
        f"{SERVING}::test_a_request_that_two_readers_could_read_in_two_ways_is_refused",
    ),
    Mutant(
        "the last of several lengths counts",
        f"{APP}/connection.py",
        'f"{headers[lower]}, {text}" if lower in headers else text',
        "text",
        f"{SERVING}::test_a_request_that_two_readers_could_read_in_two_ways_is_refused",
    ),
    Mutant(
        "what comes behind a request is the next one",
        f"{APP}/connection.py",
        "        self.keeps = self.keeps and not body.overrun\n",
        "",
        f"{SERVING}::test_a_second_request_in_one_piece_is_not_run",
    ),
    Mutant(
        "a target that serves no functions is asked for one",
        "src/leeward/_routing/failover.py",
        "        if any(names != order for names in able.values()):\n",
        "        if False:\n",
        "tests/routing/test_failover.py::test_a_verb_goes_to_the_targets_that_can_serve_it",
    ),
    Mutant(
        "a forgotten setting takes a target out without a word",
        "src/leeward/_routing/failover.py",
        "        if capability in driver.capabilities or capability in driver.missing\n",
        "        if capability in driver.capabilities\n",
        "tests/client/test_methods.py"
        "::test_a_target_that_is_not_configured_for_a_verb_is_no_silent_loss",
    ),
    Mutant(
        "the limits of a target count for what it cannot do",
        "src/leeward/_operations/arguments.py",
        "    if not lacking:\n        return driver.limits\n",
        "    return driver.limits\n",
        "tests/client/test_methods.py"
        "::test_a_target_that_cannot_serve_a_verb_takes_no_part_in_its_calls",
    ),
)
