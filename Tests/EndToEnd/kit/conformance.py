"""The rules of OTLP 1.11 for servers, clients and forwarders, and which test holds each: `pipelines/docs/conformance.md`.

A rule is held by the test of its name in `test_conformance_*.py`, or by the ones named `by`, which stood before. What is not
kept to the letter has its reason in `but`.
"""

import ast
import dataclasses
import pathlib

from kit.environments import CHECKOUT

HERE = pathlib.Path(__file__).resolve().parents[1]
PAGE = CHECKOUT / "pipelines/docs/conformance.md"
HEAD = """# OTLP: what is asked, and which test holds it

The rules with MUST and SHOULD of the OTLP specification 1.11 (and of its exporters, for clients), as far as they concern a
gateway that takes and sends OTLP. Each is held by the tests named beside it, in `Tests/EndToEnd` unless a path says otherwise.
Where one is not kept to the letter, the reason is below it. `make conformance` writes this page from the tests.
"""


@dataclasses.dataclass(frozen=True)
class Rule:
    level: str
    name: str
    words: str
    by: tuple = ()
    but: str = ""


def must(name, words, *by, but=""):
    return Rule("MUST", name, words, by, but)


def should(name, words, *by, but=""):
    return Rule("SHOULD", name, words, by, but)


KEPT = "A client may drop what it was told to; a gateway has answered 200 for it, and nobody else has it any more. "

CAPTURED = "test_captures.py::test_every_capture_of_every_signal_leaves_byte_for_byte_by_both_protocols"

SECTIONS = {
    "Everybody": [
        must("none_and_gzip_are_taken", "A server takes bodies without compression and in gzip.",
             CAPTURED),
        should("each_destination_has_its_own_queue", "Queue, acknowledgement and retry are each destination's own.",
               "test_isolation.py::test_destinations_that_are_down_cost_the_other_nothing_and_the_disk_one_copy"),
        should("queues_share_the_data", "Queues of several destinations share the data.",
               "test_isolation.py::test_destinations_that_are_down_cost_the_other_nothing_and_the_disk_one_copy"),
        should("no_empty_request_is_sent", "No empty request is made."),
        should("an_empty_request_is_success", "A request without items is answered with success."),
        must("unknown_fields_are_ignored_and_passed_on",
             "Fields that a receiver does not know are ignored; a forwarder (SHOULD) keeps them."),
        must("flags_are_copied", "Bits 10 to 31 of `flags` are not taken to be zero: they are copied."),
        must("values_of_every_kind_are_taken",
             "Attribute values may be empty, bytes, maps, and arrays of mixed kinds."),
        should("what_is_for_profiles_alone_is_passed_on",
               "`key_strindex` and `string_value_strindex` of other signals than profiles are read as absent, with a warning.",
               but="Read as absent and passed on as they came. There is no warning: a value that nothing reads is not looked at."),
        must("ids_have_their_length", "A trace id has 16 bytes, a span id 8, not all zero; anything else is invalid.",
             "test_hostile_bodies.py::test_one_invalid_span_is_refused_by_partial_success_and_the_others_are_taken",
             "test_conformance_http_server.py::test_partial_success_is_200_and_counts_what_was_rejected"),
        must("keys_are_written_once", "The keys of a map are unique.",
             but="Held for all that processors write. What came with a key twice leaves as it came: byte for byte is the promise."),
    ],
    "HTTP servers": [
        must("requests_are_posts_to_the_path_of_their_signal",
             "Requests are POST, to `/v1/traces`, `/v1/metrics` and `/v1/logs` by default."),
        should("ports_are_4318_and_4317_by_default", "The default port is 4318 for HTTP, 4317 for gRPC."),
        should("both_encodings_are_taken_on_one_port", "Protobuf and JSON are told apart by the Content-Type, on one port."),
        must("the_answer_has_the_content_type_of_the_request", "The answer has the Content-Type of the request."),
        must("bodies_are_limited", "Bodies are limited, after decompression too; what is over the limit is answered 413.",
             "test_hostile_bodies.py::test_a_hundred_megabytes_are_413_and_the_answer_can_be_read",
             "test_hostile_bodies.py::test_a_gibibyte_of_zeros_is_413_without_being_held"),
        should("the_limit_of_bodies_is_64_mib_by_default_and_a_setting", "The limit is 64 MiB, and a setting (`max_body`)."),
        must("full_success_is_200_without_partial_success",
             "Success is 200 with an `Export…ServiceResponse` whose `partial_success` is not set."),
        must("partial_success_is_200_and_counts_what_was_rejected",
             "Partial success is 200 with the number of rejected items, and (SHOULD) why."),
        must("failure_is_a_status_in_the_encoding_of_the_request",
             "The body of 4xx and 5xx is a `google.rpc.Status` in the request's encoding, with (SHOULD) a message."),
        should("a_bad_request_is_described_in_the_details", "The Status of a 400 has a `BadRequest` among its details."),
        must("what_cannot_be_decoded_is_400", "What cannot be decoded is answered 400."),
        should("overload_is_429_or_503", "Overload is answered 429 or 503.",
               "test_disk_full.py::test_a_full_disk_refuses_until_there_is_room_again",
               "test_limits.py::test_a_python_sdk_over_its_rate_waits_as_it_is_told_and_loses_nothing"),
        must("answers_are_far_below_4_mib", "The size of answers is limited."),
        must("http_1_1_is_spoken", "HTTP/1.1 or HTTP/2 is spoken."),
    ],
    "HTTP clients": [
        must("requests_name_their_content_type_and_coding",
             "Requests name their Content-Type, and gzip in Content-Encoding."),
        should("requests_are_limited_before_compression",
               "The size of requests is limited, before compression; what is over it is not sent, and recorded.",
               but="`batch.bytes` divides what is larger, between traces, and metrics between their data points. A trace over it"
               " is sent whole, a span or log record alone, because only the destination knows its limit: where it answers 413,"
               " traces are divided too, and what is too large alone becomes a dead letter. Receivers bound it (`max_body`)."),
        must("an_answer_over_4_mib_is_not_retryable_and_recorded",
             "The size of answers is limited (4 MiB); what is over it is not retryable, and (SHOULD) recorded."),
        should("what_passes_is_tried_again", "429, 502, 503 and 504 are tried again."),
        must("what_does_not_pass_is_not_tried_again", "No other 4xx or 5xx is tried again, 400 least of all.",
             "test_conformance_http_client.py::test_what_somebody_can_mend_is_kept",
             but=KEPT + "After 408, 500 and other 5xx it tries again, dividing the batch where the content may be to blame; after"
             " 3xx, 401 to 405, 407, 410, 415 and 501 it waits until somebody mends the address or the credentials. What is"
             " refused for good is divided until what is to blame is alone, and kept as a dead letter; parts are new requests."
             " A destination that never took a compressed body is asked once without compression after 400 and 415."),
        must("after_partial_success_nothing_is_sent_again", "Nothing is sent again after a partial success."),
        should("a_destination_that_names_a_pause_gets_it", "`Retry-After` is honoured."),
        must("pauses_grow_and_differ", "Else pauses grow exponentially, with jitter."),
        should("a_connection_that_ends_without_an_answer_means_again",
               "What got no answer is sent again; where no connection can be opened, after a pause."),
        should("connections_are_kept", "Connections are kept between requests."),
        should("how_many_requests_at_once_is_a_setting", "The number of requests at once is a setting (`concurrency`)."),
        should("http_2_falls_back_to_1_1", "A client that speaks HTTP/2 falls back to HTTP/1.1.",
               "test_tls_exporter.py::test_verification_can_be_switched_off"),
        should("requests_say_who_sends_them", "User-Agent names the exporter, with the distribution before it."),
        should("what_was_not_taken_is_counted", "What is dropped is counted."),
        should("the_wait_at_the_end_is_a_setting", "Whether the end waits for what is left is a setting (`drain_timeout`)."),
    ],
    "JSON": [
        must("every_field_is_read", "Every field of the protocol is read."),
        must("every_field_is_written", "Every field of the protocol is written as JSON has it."),
        must("names_are_in_camel_case", "Names are in camel case; the original names are not valid.",
             but="Written so. The original names are read too, because senders use them, and counted as `snake_case`."),
        must("ids_are_hexadecimal_in_either_case",
             "Ids are hexadecimal text of either case, of links, log records and exemplars too.",
             "test_conformance_json.py::test_deviations_are_read_and_counted_by_client",
             but="Written so. Ids in base64, of the lengths that only those have, are read too and counted as `base64_id`."),
        must("enums_are_integers", "Enum values are integers; names are not valid.",
             but="Written so. Names are read too, because senders use them, and counted as `enum_name`."),
        must("integers_of_64_bits_are_written_as_strings_and_read_as_either",
             "Integers of 64 bits are decimal text, and read as text or number.",
             "test_conformance_json.py::test_deviations_are_read_and_counted_by_client",
             but="What no 64 bits hold, or has a fraction, is read as a double, because senders write so what they have as one,"
             " and counted as `wide_integer`."),
        must("bytes_are_in_base64", "`bytesValue` is base64."),
        must("unknown_names_are_ignored", "Names that a receiver does not know are ignored."),
        must("doubles_that_are_no_numbers_have_names", "Doubles may be `NaN`, `Infinity` and `-Infinity`."),
        must("null_is_the_default", "`null` is the default."),
        must("a_file_has_one_document_a_line", "A file has one document a line, and (SHOULD) one signal.",
             but="A `file` exporter of a pipeline of several signals writes them into one file: each line names its own. One exporter"
             " and pipeline for each signal give one file for each."),
    ],
    "gRPC": [
        must("calls_are_unary_exports", "The services of the three signals have one unary method, `Export`.",
             CAPTURED),
        should("calls_at_once_are_a_setting", "The number of calls at once is a setting (`concurrency`, as over HTTP)."),
        must("messages_are_limited",
             "A server limits messages (64 MiB by default); over it is RESOURCE_EXHAUSTED, not retryable.",
             "test_grpc.py::test_what_is_refused_says_why_and_is_not_to_be_sent_again",
             "test_conformance_http_server.py::test_the_limit_of_bodies_is_64_mib_by_default_and_a_setting"),
        must("grpc_requests_are_limited", "A client limits its requests, as over HTTP.",
             "test_grpc_exporter.py::test_a_batch_that_is_too_large_goes_in_parts",
             but="As over HTTP: `batch.bytes` divides, and one item that is larger goes alone."),
        must("grpc_an_answer_over_4_mib_is_not_retryable_and_recorded",
             "A client limits answers (4 MiB); what is over it is not retryable."),
        must("grpc_full_success_has_no_partial_success", "Success has no `partial_success`."),
        must("grpc_partial_success_counts_what_was_rejected",
             "Partial success has the number of rejected items, and (SHOULD) why."),
        must("grpc_after_partial_success_nothing_is_sent_again", "Nothing is sent again after a partial success."),
        should("grpc_what_passes_is_tried_again",
               "CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE and DATA_LOSS are tried again."),
        must("grpc_what_does_not_pass_is_not_tried_again",
             "No other code is tried again; RESOURCE_EXHAUSTED only where it comes with `RetryInfo`.",
             "test_conformance_grpc.py::test_grpc_what_somebody_can_mend_is_kept",
             but=KEPT + "After UNKNOWN and INTERNAL it tries again, dividing the batch; RESOURCE_EXHAUSTED without `RetryInfo` is a"
             " lack of room that passes, or, where the message speaks of a size, a batch to divide; after NOT_FOUND,"
             " PERMISSION_DENIED, FAILED_PRECONDITION, UNIMPLEMENTED and UNAUTHENTICATED it waits until somebody mends that."),
        should("grpc_overload_is_unavailable", "Overload is UNAVAILABLE, with a `RetryInfo` (MAY).",
               "test_grpc.py::test_who_may_send_and_how_much"),
        must("grpc_a_pause_that_a_server_names_is_kept", "A client that gets `RetryInfo` waits as long."),
        must("grpc_bad_data_is_invalid_argument_with_a_bad_request",
             "Bad data is INVALID_ARGUMENT, with (SHOULD) a `BadRequest` among the details."),
    ],
}  # fmt: skip
RULES = [rule for rules in SECTIONS.values() for rule in rules]


def tests_of(file):
    """The names of the tests in a file, without their `test_`."""
    nodes = ast.parse((HERE / file).read_text()).body
    names = [node.name for node in nodes if isinstance(node, ast.FunctionDef)]
    return [name.removeprefix("test_") for name in names if name.startswith("test_")]


OWN = {name: file.name for file in sorted(HERE.glob("test_conformance_*.py")) for name in tests_of(file.name)}


def tests(rule):
    """The tests that hold a rule, as `FILE::NAME`."""
    own = [f"{OWN[rule.name]}::test_{rule.name}"] if rule.name in OWN else []
    return [*own, *rule.by]


def page():
    """What `pipelines/docs/conformance.md` has to be."""
    text = HEAD
    for title, rules in SECTIONS.items():
        text += f"\n## {title}\n\n| | rule | test |\n| --- | --- | --- |\n"
        for rule in rules:
            names = "<br>".join(f"`{test.replace('::', '` `')}`" for test in tests(rule))
            words = rule.words + (f"<br>**Differs:** {rule.but}" if rule.but else "")
            text += f"| {rule.level} | {words} | {names} |\n"
    return text
