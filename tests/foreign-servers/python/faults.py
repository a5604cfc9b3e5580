"""Deliberate faults. `FAULT=NAME` in the environment puts one into the server; `server.py --faults` lists all of them.

Each row names the case that must fail and states the fault. The kit must find every one of them.
"""
import os

FAULTS = {
    'empty-data-lost': ('basics::empty_data_arrives', 'an event with empty data has no data line'),
    'leading-space-lost': ('basics::leading_space_is_kept', 'no space follows the colon, so a client strips the first space of the data'),
    'first-bytes-late': ('basics::first_bytes_are_sent_before_any_event', 'nothing is sent before the first event'),
    'cr-kept': ('framing::cr_makes_two_lines', 'a CR in the data is written as it is'),
    'nul-lost': ('framing::nul_in_data_is_kept', 'NUL is removed from the data'),
    'last-break-lost': ('framing::a_break_at_the_end_makes_an_empty_line', 'the empty line at the end of the data is lost'),
    'empty-id-lost': ('framing::an_empty_id_clears_the_id', 'an empty ID writes no line'),
    'retry-in-seconds': ('framing::longest_retry_is_accepted', 'the reconnection time is written in seconds'),
    'break-in-type': ('injection::lf_in_event', 'line breaks are written into the event type'),
    'nul-in-id': ('injection::nul_in_id', 'an ID that holds NUL is sent, and every client ignores it'),
    'break-in-comment': ('injection::lf_lf_in_comment', 'line breaks are written into a comment'),
    'may-be-transformed': ('head::stream_head_has_the_required_headers', 'the head lets a proxy transform and store the stream'),
    'error-is-a-stream': ('head::rejection_is_no_event_stream', 'an error has the type of a stream'),
    'q-zero-ignored': ('eligibility::row_17', 'a type with q=0 is accepted'),
    'any-method': ('eligibility::row_24', 'a POST opens a stream of /script'),
    'two-spaces-stripped': ('decoding::', 'the decoder strips every leading space of a value'),
    'block-without-data-dispatched': ('decoding::', 'the decoder dispatches a block without data'),
    'end-not-known': ('lifecycle::finish_then_204', 'a client that was finished is served again'),
    'held-back': ('lifecycle::event_is_not_held_back', 'an event is held back until the next one'),
    'sent-after-the-end': ('lifecycle::nothing_is_sent_after_close_or_finish', 'steps after close are still written'),
    'id-without-data': ('lifecycle::ids_without_an_event_reach_every_client', 'a checkpoint has no data, so most clients keep no ID of it'),
    'no-shield': ('lifecycle::unfinished_block_of_an_earlier_response_forges_no_event', 'a blank line follows the opening comment and dispatches what a client kept'),
    'keep-alive-cuts-an-event': ('keep-alive::keep_alive_never_cuts_an_event', 'a keep-alive comes between the lines of an event and ends it'),
    'keep-alive-is-an-event': ('keep-alive::keep_alive_comes_on_time', 'the keep-alive is an event'),
    'never-gone': ('disconnect::closed_socket_is_noticed', 'a client that left is never noticed'),
    'id-before-its-event': ('resumption::cut_at_every_byte_loses_nothing', 'the ID is sent in a block of its own, before its event'),
    'twice-after-resume': ('resumption::known_id_resumes', 'the event of the last event ID is sent once more'),
    'lost-after-resume': ('resumption::known_id_resumes', 'the first event after the last event ID is skipped'),
    'unknown-id-is-fresh': ('resumption::forged_id_is_a_gap', 'an unknown ID gets no gap'),
    'query-id-ignored': ('resumption::id_in_the_query_resumes', 'lastEventId in the query is ignored'),
    'half-a-batch': ('publish::invalid_event_rejects_the_whole_array', 'the events before an invalid one are published'),
    'asleep': ('publish::publish_wakes_subscribers', 'a publish wakes no subscriber before the next keep-alive'),
    'every-topic': ('publish::event_reaches_only_subscribers_of_the_topic', 'a subscriber receives the events of all topics'),
    'gap-missing': ('retention::trimmed_events_are_one_gap', 'trimmed events get no gap'),
    'false-gap': ('retention::last_trimmed_id_resumes_without_a_gap', 'the last trimmed ID gets a gap although nothing is missing'),
    'never-trimmed': ('retention::topic_events_bounds_the_topic', 'a topic keeps more events than its bound'),
    'lag-in-silence': ('lag::lagging_subscriber_continues_after_a_gap', 'events trimmed before a slow subscriber read them get no gap'),
    'no-retry-at-drain': ('drain::drain_ends_every_stream', 'a drain ends streams without a retry'),
    'same-retry-for-all': ('drain::new_clients_are_asked_to_retry_later', 'all clients are asked to come back at the same moment'),
    'exit-code': ('drain::sigterm_with_open_streams', 'SIGTERM ends the process with 1'),
    'no-413': ('limits::larger_body_is_413', 'a body of any size is read'),
    'refusal-kept': ('limits::channel_replaces_the_retry_of_a_refusal', 'a channel leaves the client the retry of a soft refusal'),
    'unknown-steps-skipped': ('limits::malformed_steps_are_400', 'a step that does not exist is skipped'),
    'streams-compressed': ('compression::stream_is_not_compressed', 'a stream is compressed and held back until it ends'),
    'chunks-for-http-1.0': ('http-1.0::response_has_no_chunks', 'a client of HTTP/1.0 receives chunks'),
    'closed-after-a-stream': ('http-1.1::connection_serves_the_next_request_after_a_stream', 'the connection closes after a stream, without a word'),
    'no-last-chunk': ('http-1.1::stream_ends_with_the_last_chunk', 'the end of a stream has no last chunk'),
    'early-request-lost': ('pipelining::early_request_is_answered_after_the_stream', 'a request that came during a stream is never answered'),
    'slow-client-loses': ('slow-readers::stalled_script_loses_nothing', 'events are dropped while a client does not read'),
    'head-opens-a-stream': ('head-method::head_opens_no_stream', 'HEAD opens a stream'),
    'head-has-a-body': ('head-method::connection_is_usable_after_head', 'the answer to HEAD has a body'),
    'delivered-not-counted': ('stats::totals_only_grow', 'delivered events are not counted'),
    'streams-not-released': ('stats::counters_are_exact', 'a stream that ended is counted for ever'),
    'crash': ('framing::comment_dispatches_nothing', 'a comment step ends the process'),
}

NAME = os.environ.get('FAULT', '')


def fault(name):
    """Whether this fault is in."""
    assert name in FAULTS, name
    return name == NAME
