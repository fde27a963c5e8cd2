"""Faults of the wire: the exchange, its connection and runners, the pool, the answer reader."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a silent proxy is told as a target that does not answer",
        "src/leeward/_http/connection.py Connection.fail_to_connect",
        "' (over proxy)'",
        "''",
        "tests/http/test_proxy.py::test_a_proxy_that_leads_nowhere_is_named",
    ),
    Mutant(
        "a connection is kept although its request was not wholly sent",
        "src/leeward/_http/exchange.py Exchange.receive",
        "parser.keeps and (not self.unsent)",
        "parser.keeps",
        "tests/http/test_kept.py::test_a_request_that_was_answered_too_early_ends_its_connection",
    ),
    Mutant(
        "a byte that has left is not noticed",
        "src/leeward/_http/exchange.py Exchange.note_sent",
        "self.may_have_left = True\n...",
        "...",
        "tests/http/test_exchange.py::test_nothing_taken_is_proved_and_a_byte_is_not",
    ),
    Mutant(
        "what came after an answer is left for the next one",
        "src/leeward/_http/response_parser.py ResponseParser._take_body",
        "self.keeps = self.keeps and (not content.overrun)",
        "pass",
        "tests/http/test_kept.py::test_what_comes_with_an_answer_is_not_the_next_one",
    ),
    Mutant(
        "an answer that was cut is whole",
        "src/leeward/_http/response_parser.py ResponseParser.end",
        "not self._content.ends_with_connection",
        "False",
        "tests/http/test_response_parser.py::test_an_answer_that_is_cut",
    ),
    Mutant(
        "a kept connection is not looked at before its next request",
        "src/leeward/_http/connection.py Connection.is_alive",
        "self.is_quiet()",
        "True",
        "tests/http/test_kept.py::test_what_comes_between_two_requests_is_not_the_next_answer",
    ),
    Mutant(
        "a request is sent again after part of it has left",
        "src/leeward/_http/connection.py Connection.start",
        "was_kept and (not exchange.may_have_left)",
        "was_kept",
        "tests/http/test_connection.py::"
        "test_a_kept_connection_that_has_taken_a_piece_is_not_replaced",
    ),
    Mutant(
        "a server that refuses the handshake may have read the request",
        "src/leeward/_http/connection.py Connection._fail",
        "exchange.may_have_left = False",
        "pass",
        "tests/http/test_tls.py::test_a_server_that_refuses_the_handshake_has_not_read_the_request",
    ),
    Mutant(
        "a thread waits beyond the deadline for a drip",
        "src/leeward/_http/threads.py BlockingConnection.carry",
        "left <= 0",
        "False",
        "tests/http/test_provoked.py::test_the_deadline_holds_against_a_slow_answer",
    ),
    Mutant(
        "a place that came free is not handed on",
        "src/leeward/_http/pool.py Pool.release",
        "self._hand_on() if self._waiting else ()",
        "()",
        "tests/http/test_pool.py::test_a_request_waits_for_a_place",
    ),
    Mutant(
        "a child uses its parent's connections after a fork",
        "src/leeward/_http/pool.py Pool.abandon",
        "for each in (*self._idle, *self._busy.values()):\n"
        "    leak(each.handle)\n"
        "self._start_empty()",
        "for each in (*self._idle, *self._busy.values()):\n    pass",
        "tests/http/test_fork.py::test_a_child_starts_with_an_empty_pool",
    ),
    Mutant(
        "a request of which a byte may have left is told as not sent",
        "src/leeward/_http/messages.py explain",
        "True",
        "False",
        "tests/http/test_failures.py::test_a_byte_that_may_have_left_decides",
    ),
    Mutant(
        "a certificate of another host is accepted",
        "src/leeward/_http/libcurl.py _trust",
        "2",
        "0",
        "tests/http/test_tls.py::test_a_wrong_certificate_is_refused",
    ),
    Mutant(
        "a wait for a place is part of the attempt, on threads",
        "src/leeward/_http/threads.py CurlTransport.send",
        "if ...:\n    ...\n    exchange.deadline = began + waited + time_after(waited, timeout)",
        "if ...:\n    ...",
        "tests/http/test_pool.py::test_a_wait_is_not_part_of_an_attempt",
    ),
    Mutant(
        "a Lambda that passes on an envelope with a constant mark is believed",
        "adapters/aws/src/leeward_aws/functions/plans.py invoke",
        "open_envelope(value, mark)",
        "open_envelope(value, UNBOUND if call.marks else mark)",
        "tests/http/test_relays.py::test_on_lambda_only_the_mark_of_the_call_is_believed",
    ),
    Mutant(
        "a handler that has answered before is believed to answer for the next release",
        "src/leeward/adapter/http_functions.py invoke",
        "is_success = 200 <= response.status < 300",
        "is_success = 200 <= response.status < 300\n"
        "if by_handler:\n"
        "    yield Learn('by', True)\n"
        "call = call._replace(marks=call.marks or 'by' in view.learnt)",
        "tests/http/test_relays.py::"
        "test_of_a_function_that_is_declared_to_mark_its_answers_the_platforms_own_are_proof",
    ),
    Mutant(
        "a gateway's 403 is told as the function's own",
        "src/leeward/adapter/http_functions.py invoke",
        "MAYBE_RAN",
        "MAYBE_RAN._replace(ran='yes')",
        "tests/http/test_gateways.py::test_a_gateway_proves_nothing",
    ),
    Mutant(
        "a redirect of a service's endpoint proves that nothing ran",
        "src/leeward/adapter/classification.py by_status",
        "return {413: TOO_LARGE, 429: REJECTED}.get(status, AMBIGUOUS) if marked else AMBIGUOUS",
        "if 300 <= status < 400:\n"
        "    return CALLER\n"
        "return {413: TOO_LARGE, 429: REJECTED}.get(status, AMBIGUOUS) if marked else "
        "AMBIGUOUS",
        "tests/clouds/test_service_marks.py::test_no_redirect_proves_anything",
    ),
    Mutant(
        "a call that may have run moves though its target has said nothing of keys",
        "src/leeward/_routing/attempts.py may_leave",
        "bool(state.health.keys.word_of(call, made))",
        "True",
        "tests/app/idempotent/test_older_apps.py::"
        "test_a_call_whose_first_target_has_said_nothing_is_unknown",
    ),
    Mutant(
        "a handler runs a call though it keeps other records than its caller demands",
        "src/leeward/app/handlers.py Handler.refuse",
        "demand in (self.worth_of_keys, scope_of(self.worth_of_keys))",
        "scope_of(self.worth_of_keys) == BY_GROUP",
        "tests/app/idempotent/test_older_apps.py::"
        "test_a_key_that_was_used_at_the_first_target_meets_it_again",
    ),
    Mutant(
        "a refusal of another version opens the circuit of its target",
        "src/leeward/_routing/execution.py _History.event_of",
        "reason in (VOIDED, OTHER_RECORDS)",
        "reason == VOIDED",
        "tests/app/idempotent/test_older_apps.py::test_a_refusal_says_nothing_against_the_target",
    ),
)
