//! The bytes of the server's own blocks, for each kind of request.

use sse_core::hub::HubBuilder;
use sse_core::testing::{Clock, Reader};
use sse_core::{
    AcceptMode, CloseReason, Event, EventStream, FrameError, Hub, MAX_RETRY, Policy, RESERVED_TYPES, Request,
    SendError, Sse,
};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const EVENT_STREAM: &[u8] = b"text/event-stream";

/// How a stream sends the server's own blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Events,
    Blocks,
    Omitted,
}

const FORMS: [Form; 3] = [Form::Events, Form::Blocks, Form::Omitted];

fn request(clock: &Clock, method: &str, accept: &[&[u8]], last_event_id: Option<&str>) -> Sse<Clock> {
    let id = last_event_id.map(|id| ("last-event-id", id.as_bytes()));
    let headers = accept.iter().map(|&accept| ("accept", accept)).chain(id);
    let policy = Policy::default().methods(["GET", "POST", "QUERY"]).accept(AcceptMode::Any);
    Sse::new(clock.clone(), policy.check(&Request::new(method, None, headers)).unwrap())
}

/// The method and `Accept` header for which a stream has this form.
fn of_form(clock: &Clock, form: Form, last_event_id: Option<&str>) -> Sse<Clock> {
    match form {
        Form::Events => request(clock, "GET", &[EVENT_STREAM], last_event_id),
        Form::Blocks => request(clock, "GET", &[b"*/*"], last_event_id),
        Form::Omitted => request(clock, "POST", &[EVENT_STREAM], last_event_id),
    }
}

/// A hub whose streams open with `retry: 0`.
fn hub_with(clock: &Clock, bounds: impl FnOnce(HubBuilder) -> HubBuilder) -> Hub {
    bounds(Hub::builder().retry(Duration::ZERO)).build_on(clock.clone())
}

fn read(sse: Sse<Clock>, hub: &Hub) -> Reader<EventStream<Clock>> {
    Reader::new(sse.subscribe(hub, ["news"]).into_response().into_body())
}

#[test]
fn the_form_follows_the_method_the_accept_header_and_the_setting() {
    let clock = Clock::new();
    let rows: &[(&str, &[&[u8]], Form)] = &[
        ("GET", &[EVENT_STREAM], Form::Events),
        ("GET", &[b"Text/Event-Stream;q=0.1"], Form::Events),
        ("GET", &[b"application/json, text/event-stream"], Form::Events),
        ("GET", &[b"*/*", EVENT_STREAM], Form::Events),
        ("GET", &[b"text/*"], Form::Events),
        ("GET", &[], Form::Blocks),
        ("GET", &[b""], Form::Blocks),
        ("GET", &[b"*/*"], Form::Blocks),
        ("GET", &[b"application/json"], Form::Blocks),
        ("GET", &[b"text/event-stream;q=0, */*"], Form::Blocks),
        ("POST", &[EVENT_STREAM], Form::Omitted),
        ("POST", &[b"*/*"], Form::Omitted),
        ("QUERY", &[EVENT_STREAM], Form::Omitted),
    ];
    for &(method, accept, expected) in rows {
        for setting in [None, Some(true), Some(false)] {
            let sse = request(&clock, method, accept, None);
            let (events, response) = setting.into_iter().fold(sse, Sse::control_events).channel();
            events.try_send(Event::checkpoint("7")).unwrap();
            let text = clock.read(response).text();
            let expected = match (expected, setting) {
                (Form::Omitted, _) => ":\n",
                (_, Some(true)) | (Form::Events, None) => {
                    ":\nevent: sse-open\n\nevent: sse-position\nid: 7\ndata: {}\n\n"
                }
                (_, Some(false)) | (Form::Blocks, None) => ":\nid: 7\n\n",
            };
            assert_eq!(text, expected, "{method} {accept:?} {setting:?}");
        }
    }
}

/// Hazard G12.
#[test]
fn a_channel_opens_moves_and_finishes_in_its_form() {
    let clock = Clock::new();
    for form in FORMS {
        let (events, response) = of_form(&clock, form, None).channel();
        let mut reader = clock.read(response);
        events.try_send(Event::checkpoint("1")).unwrap();
        events.try_send(Event::checkpoint("2").frame().unwrap()).unwrap();
        events.try_send(Event::checkpoint("3").comment("why").retry(SECOND)).unwrap();
        events.try_send(Event::data("x").id("4")).unwrap();
        events.finish();
        let expected = match form {
            Form::Events => {
                ":\nevent: sse-open\n\n\
                 event: sse-position\nid: 1\ndata: {}\n\n\
                 event: sse-position\nid: 2\ndata: {}\n\n\
                 : why\nevent: sse-position\nretry: 1000\nid: 3\ndata: {}\n\n\
                 id: 4\ndata: x\n\n\
                 event: sse-end\nid: end\ndata: {}\n\n"
            }
            Form::Blocks => ":\nid: 1\n\nid: 2\n\n: why\nretry: 1000\nid: 3\n\nid: 4\ndata: x\n\nid: end\n\n",
            Form::Omitted => ":\n: why\nid: 4\ndata: x\n\n",
        };
        assert_eq!(reader.text(), expected);
        assert!(reader.has_ended());
        let reason = if form == Form::Omitted { CloseReason::Closed } else { CloseReason::Finished };
        assert_eq!(events.close_reason(), Some(reason));
    }
}

/// The same for the prelude and for a stream of events.
#[test]
fn first_events_and_items_are_sent_in_the_stream_s_form() {
    let clock = Clock::new();
    let items = || [Event::checkpoint("1"), Event::new().retry(SECOND), Event::data("x")];
    for form in FORMS {
        let (open, end, blocks) = match form {
            Form::Events => (
                ":\nevent: sse-open\n\n",
                "event: sse-end\nid: end\ndata: {}\n\n",
                "event: sse-position\nid: 1\ndata: {}\n\nretry: 1000\n\ndata: x\n\n",
            ),
            Form::Blocks => (":\n", "id: end\n\n", "id: 1\n\nretry: 1000\n\ndata: x\n\n"),
            Form::Omitted => (":\n", "", "data: x\n\n"),
        };
        let sse = of_form(&clock, form, None).prelude(items());
        let text = clock.read(sse.stream(futures_util::stream::iter(items()))).text();
        assert_eq!(text, format!("{open}{blocks}{blocks}{end}"), "{form:?}");
    }
}

#[test]
fn a_subscription_opens_in_its_form() {
    let clock = Clock::new();
    let hub = hub_with(&clock, |bounds| bounds.position_updates(true));
    let id = hub.publish("news", "1").unwrap();
    let gap = format!("event: gap\ndata: {{\"reason\":\"unknown\"}}\nid: {id}\n\n");
    for form in FORMS {
        let (at, open, moved) = match form {
            Form::Events => (
                format!(":\nevent: sse-position\nretry: 0\nid: {id}\ndata: {{}}\n\n"),
                ":\nevent: sse-open\nretry: 0\n\n",
                format!("event: sse-position\nid: {id}\ndata: {{}}\n\n"),
            ),
            Form::Blocks => (format!("retry: 0\nid: {id}\n\n"), "retry: 0\n\n", format!("id: {id}\n\n")),
            Form::Omitted => (":\n".to_owned(), ":\n", String::new()),
        };
        let sse = |last_event_id: Option<&str>| of_form(&clock, form, last_event_id);
        assert_eq!(read(sse(None), &hub).text(), at, "fresh, {form:?}");
        assert_eq!(read(sse(Some(&id.to_string())), &hub).text(), at, "resumed, {form:?}");
        assert_eq!(read(sse(Some("?")), &hub).text(), format!("{open}{gap}"), "unknown, {form:?}");
        let text = read(sse(None).prelude(["first"]), &hub).text();
        assert_eq!(text, format!("{open}data: first\n\n{moved}"), "with a prelude, {form:?}");
        let text = read(sse(Some("?")).prelude(["first"]), &hub).text();
        assert_eq!(text, format!("{open}data: first\n\n{gap}"), "unknown with a prelude, {form:?}");
    }
}

/// WebKit can hold the ID of an event that was never dispatched, and takes that ID when `sse-open` ends the block. So the
/// opening repeats the client's last event ID. An ID that no block can contain is not repeated.
#[test]
fn an_opening_without_a_position_repeats_the_id_that_the_client_brought() {
    let clock = Clock::new();
    let hub = hub_with(&clock, |bounds| bounds.drain_retry(SECOND..=SECOND));
    let _draining = hub.drain(Duration::ZERO);
    for (brought, line) in
        [("41", "id: 41\n"), ("a b", "id: a b\n"), ("\u{e9}", "id: \u{e9}\n"), ("1\0", ""), ("a\x7f", "")]
    {
        let sse = || of_form(&clock, Form::Events, Some(brought));
        let open = format!(":\nevent: sse-open\n{line}\n");
        let later = format!(":\nevent: sse-open\nretry: 1000\n{line}\n");
        let (_events, response) = sse().channel();
        assert_eq!(clock.read(response).text(), open);
        let ended = clock.read(sse().stream(futures_util::stream::iter(["x"]))).text();
        assert!(ended.starts_with(&open), "{ended:?}");
        let (_events, response) = sse().attach(&hub).channel();
        assert!(clock.read(response).text().starts_with(&later));
        assert!(read(sse(), &hub).text().starts_with(&later));
        let (_events, response) = of_form(&clock, Form::Blocks, Some(brought)).channel();
        assert_eq!(clock.read(response).text(), ":\n");
    }
    // An unknown ID of a hub is not repeated: the gap is the first block with a position.
    let hub = hub_with(&clock, |bounds| bounds);
    let text = read(of_form(&clock, Form::Events, Some("41")), &hub).text();
    assert!(text.starts_with(":\nevent: sse-open\nretry: 0\n\nevent: gap\n"), "{text:?}");
}

#[test]
fn position_updates_are_sent_in_the_stream_s_form() {
    let clock = Clock::new();
    let hub = hub_with(&clock, |bounds| bounds.position_updates(true));
    for form in FORMS {
        let mut reader = read(of_form(&clock, form, None), &hub);
        reader.text();
        let id = hub.publish("other", "x").unwrap();
        clock.advance(15 * SECOND);
        let expected = match form {
            Form::Events => format!("event: sse-position\nid: {id}\ndata: {{}}\n\n"),
            Form::Blocks => format!("id: {id}\n\n"),
            Form::Omitted => ":\n".to_owned(),
        };
        assert_eq!(reader.text(), expected);
        clock.advance(15 * SECOND);
        assert_eq!(reader.text(), ":\n", "it moves once");
    }
}

#[test]
fn over_post_a_hub_s_stream_omits_events_without_data() {
    let clock = Clock::new();
    let hub = hub_with(&clock, |bounds| bounds);
    let mut posted = read(of_form(&clock, Form::Omitted, None), &hub);
    let mut got = read(of_form(&clock, Form::Events, None), &hub);
    posted.text();
    got.text();
    let retry = hub.publish("news", Event::new().retry(SECOND)).unwrap();
    assert_eq!(posted.text(), "");
    assert_eq!(got.text(), format!("retry: 1000\nid: {retry}\n\n"));
    let comment = hub.publish("news", Event::new().comment("quiet")).unwrap();
    let data = hub.publish("news", "x").unwrap();
    assert_eq!(posted.text(), format!(": quiet\ndata: x\nid: {data}\n\n"));
    assert_eq!(got.text(), format!(": quiet\nid: {comment}\n\ndata: x\nid: {data}\n\n"));
    assert!(!posted.has_ended());
}

/// A client that does not reconnect by itself would also lose the later events.
#[test]
fn over_post_a_subscriber_that_lags_continues_after_a_gap() {
    let clock = Clock::new();
    for gap_on_lag in [false, true] {
        let hub = hub_with(&clock, |bounds| {
            let bounds = bounds.topic_events(1);
            if gap_on_lag { bounds.gap_on_lag() } else { bounds }
        });
        let mut posted = read(of_form(&clock, Form::Omitted, None), &hub);
        let mut got = read(of_form(&clock, Form::Events, None), &hub);
        posted.text();
        got.text();
        let ids = ["1", "2", "3"].map(|data| hub.publish("news", data).unwrap());
        let gap = format!("event: gap\ndata: {{\"reason\":\"trimmed\",\"topic\":\"news\"}}\nid: {}\n\n", ids[1]);
        let rest = format!("{gap}data: 3\nid: {}\n\n", ids[2]);
        assert_eq!(posted.text(), rest);
        assert!(!posted.has_ended());
        assert_eq!(got.text(), if gap_on_lag { &rest } else { "" });
        assert_eq!(got.has_ended(), !gap_on_lag);
        assert_eq!(hub.stats().lagged, 2);
    }
}

#[test]
fn over_post_a_drain_ends_without_a_retry() {
    let clock = Clock::new();
    let hub = hub_with(&clock, |bounds| bounds);
    let mut subscribed = read(of_form(&clock, Form::Omitted, None), &hub);
    let (events, response) = of_form(&clock, Form::Omitted, None).attach(&hub).channel();
    let mut channel = clock.read(response);
    assert_eq!((subscribed.text(), channel.text()), (":\n".into(), ":\n".into()));
    let _draining = hub.drain(Duration::ZERO);
    assert_eq!((subscribed.text(), channel.text()), (String::new(), String::new()));
    assert!(subscribed.has_ended() && channel.has_ended());
    assert_eq!(events.close_reason(), Some(CloseReason::Drained));
}

#[test]
fn event_of_a_reserved_type_is_rejected_by_every_call() {
    let clock = Clock::new();
    let hub = hub_with(&clock, |bounds| bounds);
    for reserved in RESERVED_TYPES {
        let error = FrameError::ReservedType(reserved.into());
        let event = || Event::data("x").event(reserved);
        assert_eq!(event().frame(), Err(error.clone()));
        assert_eq!(error.field(), Some(sse_core::Field::Event));
        assert!(error.to_string().contains(reserved) && error.to_string().contains("choose another"));
        assert_eq!(
            Event::parse(format!("event: {reserved}\ndata: {{}}\n\n").as_bytes()).unwrap().frame(),
            Err(error.clone())
        );

        assert_eq!(hub.publish("news", event()), Err(error.clone().into()));
        assert_eq!(hub.publish_all([("news", event())]), Err(error.clone().into()));
        assert_eq!(hub.check("news", event()), Err(error.clone().into()));

        let (events, response) = clock.sse().channel();
        assert_eq!(events.try_send((reserved, "x")), Err(SendError::Invalid(error.clone())));
        drop(response);
        let mut reader = clock.read(clock.sse().prelude([event()]).channel().1);
        assert!(reader.text().starts_with(":\nevent: sse-open\n\nretry: ") && reader.has_ended());
        let mut reader = clock.read(clock.sse().stream(futures_util::stream::iter([event()])));
        assert!(reader.text().starts_with(":\nevent: sse-open\n\nretry: ") && reader.has_ended());
        // The hub ignores a reserved type for its gaps.
        let hub = hub_with(&clock, |bounds| bounds.gap_type(reserved));
        let gap = read(clock.sse_after(sse_core::LastEventId::NotUtf8), &hub).text();
        assert!(gap.contains("event: gap\n"), "{gap}");
    }
    // Other types with the same start are allowed.
    assert!(Event::data("x").event("sse-positions").frame().is_ok());
    assert!(Event::data("x").event("sse-").frame().is_ok());
    assert!(Event::data("x").event("SSE-END").frame().is_ok());
}

/// The value of the first `retry` line.
fn opening_retry(clock: &Clock, hub: &Hub) -> u64 {
    let text = read(clock.sse(), hub).text();
    text.lines().find_map(|line| line.strip_prefix("retry: ")).unwrap().parse().unwrap()
}

#[test]
fn the_opening_retry_is_drawn_evenly_around_the_setting() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let times: Vec<u64> = (0..3_000).map(|_| opening_retry(&clock, &hub)).collect();
    assert!(times.iter().all(|time| (2_000..=4_000).contains(time)));
    for quarter in 0..4 {
        let from = 2_000 + quarter * 500;
        let drawn = times.iter().filter(|time| (from..from + 500).contains(*time)).count();
        assert!((650..=850).contains(&drawn), "{drawn} of 3000 from {from} ms on");
    }
    for (setting, range) in [
        (Duration::ZERO, 0..=0),
        (30 * SECOND, 20_000..=40_000),
        (MAX_RETRY, 1_431_655_764..=2_147_483_647),
        (Duration::MAX, 1_431_655_764..=2_147_483_647),
    ] {
        let hub = Hub::builder().retry(setting).build_on(clock.clone());
        let times: Vec<u64> = (0..100).map(|_| opening_retry(&clock, &hub)).collect();
        assert!(times.iter().all(|time| range.contains(time)), "{setting:?}: {times:?}");
    }
}

/// A subscription opens with the delay that was drawn first, also if its options change later.
#[test]
fn one_stream_draws_one_retry() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let feed = clock.sse().subscribe(&hub, ["news"]).replay(sse_core::Replay::All).prelude(["x"]).prelude(["y"]);
    let text = clock.read(feed.into_response()).text();
    assert_eq!(text.matches("retry: ").count(), 1);
}

#[test]
fn the_retry_of_a_drain_is_bounded() {
    let clock = Clock::new();
    let hub = Hub::builder().drain_retry(Duration::MAX..=Duration::MAX).build_on(clock.clone());
    let _draining = hub.drain(Duration::ZERO);
    assert!(read(clock.sse(), &hub).text().contains("retry: 2147483647\n"));
}
