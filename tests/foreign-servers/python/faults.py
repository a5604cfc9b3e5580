"""Deliberate faults. `FAULT=NAME` in the environment puts one into the server; `server.py --faults` lists all of them.

Each row names the case that must fail and states the fault. The kit must find every one of them.
"""
import os

FAULTS = {
    'empty-data-lost': ('basics::empty_data', 'an event with empty data has no data line'),
    'leading-space-lost': ('basics::a_leading_space', 'no space follows the colon, so a client strips the first space of the data'),
    'first-bytes-late': ('basics::first_bytes_at_once', 'nothing is sent before the first event'),
    'cr-kept': ('framing::cr_makes_two_lines', 'a CR in the data is written as it is'),
    'nul-lost': ('framing::nul_in_data_is_kept', 'NUL is removed from the data'),
    'last-break-lost': ('framing::a_break_at_the_end_makes_an_empty_line', 'the empty line at the end of the data is lost'),
    'empty-id-lost': ('framing::an_empty_id_clears_the_id', 'an empty ID writes no line'),
    'retry-in-seconds': ('framing::the_longest_retry', 'the reconnection time is written in seconds'),
    'break-in-type': ('injection::lf_in_event', 'line breaks are written into the event type'),
    'nul-in-id': ('injection::nul_in_id', 'an ID that holds NUL is sent, and every client ignores it'),
    'break-in-comment': ('injection::lf_lf_in_comment', 'line breaks are written into a comment'),
    'may-be-transformed': ('head::a_stream_has_these_headers', 'the head lets a proxy transform and store the stream'),
    'error-is-a-stream': ('head::an_error_is_no_stream', 'an error has the type of a stream'),
    'q-zero-ignored': ('eligibility::row_17', 'a type with q=0 is accepted'),
    'any-method': ('eligibility::row_24', 'a POST opens a stream of /script'),
    'two-spaces-stripped': ('decoding::', 'the decoder strips every leading space of a value'),
    'block-without-data-dispatched': ('decoding::', 'the decoder dispatches a block without data'),
    'end-not-known': ('lifecycle::finish_then_204', 'a client that was finished is served again'),
    'held-back': ('lifecycle::events_leave_at_once', 'an event is held back until the next one'),
    'sent-after-the-end': ('lifecycle::nothing_after_the_end', 'steps after close are still written'),
    'id-without-data': ('lifecycle::an_id_without_an_event_is_kept', 'a checkpoint has no data, so most clients keep no ID of it'),
    'no-shield': ('lifecycle::half_a_block_becomes_no_event', 'a blank line follows the opening comment and dispatches what a client kept'),
    'keep-alive-cuts-an-event': ('keep-alive::a_keep_alive_ends_no_event', 'a keep-alive comes between the lines of an event and ends it'),
    'keep-alive-is-an-event': ('keep-alive::keep_alive_comes_on_time', 'the keep-alive is an event'),
    'never-gone': ('disconnect::a_closed_socket_is_noticed', 'a client that left is never noticed'),
    'id-before-its-event': ('resumption::cut_at_any_byte', 'the ID is sent in a block of its own, before its event'),
    'twice-after-resume': ('resumption::a_known_id_resumes', 'the event of the last event ID is sent once more'),
    'lost-after-resume': ('resumption::a_known_id_resumes', 'the first event after the last event ID is skipped'),
    'unknown-id-is-fresh': ('resumption::forged_ids', 'an unknown ID gets no gap'),
    'query-id-ignored': ('resumption::an_id_in_the_query', 'lastEventId in the query is ignored'),
    'half-a-batch': ('publish::all_or_nothing', 'the events before an invalid one are published'),
    'asleep': ('publish::readers_are_woken', 'a publish wakes no subscriber before the next keep-alive'),
    'every-topic': ('publish::only_its_topic', 'a subscriber receives the events of all topics'),
    'gap-missing': ('retention::trimmed_is_a_gap', 'trimmed events get no gap'),
    'false-gap': ('retention::the_edge_is_no_gap', 'the last trimmed ID gets a gap although nothing is missing'),
    'never-trimmed': ('retention::topic_events', 'a topic keeps more events than its bound'),
    'lag-in-silence': ('lag::a_lagged_reader_goes_on_after_a_gap', 'events trimmed before a slow subscriber read them get no gap'),
    'no-retry-at-drain': ('drain::drain_reaches_every_stream', 'a drain ends streams without a retry'),
    'same-retry-for-all': ('drain::newcomers_are_refused_softly', 'all clients are asked to come back at the same moment'),
    'exit-code': ('drain::sigterm_with_open_streams', 'SIGTERM ends the process with 1'),
    'no-413': ('limits::more_is_413', 'a body of any size is read'),
    'unknown-steps-skipped': ('limits::malformed_steps', 'a step that does not exist is skipped'),
    'streams-compressed': ('compression::a_stream_is_spared', 'a stream is compressed and held back until it ends'),
    'chunks-for-http-1.0': ('http-1.0::no_chunks', 'a client of HTTP/1.0 receives chunks'),
    'closed-after-a-stream': ('http-1.1::a_connection_lives_on', 'the connection closes after a stream, without a word'),
    'no-last-chunk': ('http-1.1::chunks_to_the_last', 'the end of a stream has no last chunk'),
    'early-request-lost': ('pipelining::a_request_after_a_stream', 'a request that came during a stream is never answered'),
    'slow-client-loses': ('slow-readers::a_stalled_script_loses_nothing', 'events are dropped while a client does not read'),
    'head-opens-a-stream': ('head-method::nothing_is_opened', 'HEAD opens a stream'),
    'head-has-a-body': ('head-method::the_connection_can_be_used_again', 'the answer to HEAD has a body'),
    'delivered-not-counted': ('stats::what_is_counted_grows', 'delivered events are not counted'),
    'streams-not-released': ('stats::counted_to_the_letter', 'a stream that ended is counted for ever'),
    'crash': ('framing::a_comment', 'a comment step ends the process'),
}

NAME = os.environ.get('FAULT', '')


def fault(name):
    """Whether this fault is in."""
    assert name in FAULTS, name
    return name == NAME
