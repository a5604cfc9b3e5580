//! The end of a failed stream, the retry-later answer, and the reports of both to the application.

use sse_core::hub::SubscribeError;
use sse_core::stream::StreamFailed;
use sse_core::testing::{Clock, Reader};
use sse_core::{
    AcceptMode, CloseReason, Event, EventStream, Field, FrameError, Hub, IntoFrame, Policy, Request, Response,
    SendError, Sse,
};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A request of this method and `Accept`.
fn asked(clock: &Clock, method: &str, accept: &'static str) -> Sse<Clock> {
    let policy = Policy::default().methods(["GET", "POST"]).accept(AcceptMode::Any);
    let request = Request::new(method, None, [("accept", accept.as_bytes())]);
    Sse::new(clock.clone(), policy.check(&request).unwrap())
}

fn post(clock: &Clock) -> Sse<Clock> {
    asked(clock, "POST", "text/event-stream")
}

fn failing() -> impl futures_core::Stream<Item = Result<&'static str, &'static str>> {
    futures_util::stream::iter([Ok("one"), Err("the database said no"), Ok("never")])
}

/// The reconnection time in the last block.
fn last_retry(text: &str) -> Option<u64> {
    text.strip_suffix("\n\n")?.rsplit("\n\n").next()?.strip_prefix("retry: ")?.parse().ok()
}

/// Hazard H6.
#[test]
fn a_failed_stream_over_get_asks_its_client_to_wait_10_to_30_s() {
    let clock = Clock::new();
    let mut waits = std::collections::BTreeSet::new();
    for accept in ["text/event-stream", "*/*"] {
        for _ in 0..20 {
            let mut reader = clock.read(asked(&clock, "GET", accept).stream(failing()));
            let text = reader.text();
            assert!(text.contains("data: one\n\n") && !text.contains("never") && !text.contains("database"), "{text}");
            let wait = last_retry(&text).expect(&text);
            assert!((10_000..=30_000).contains(&wait) && reader.has_ended(), "{text}");
            waits.insert(wait);
        }
    }
    assert!(waits.len() > 30, "each waits for a time of its own: {waits:?}");
    // The prelude and a sender fail in the same way.
    let text = clock.read(clock.sse().prelude([Event::data("x").event("a\nb")]).channel().1).text();
    assert!(last_retry(&text).is_some(), "{text}");
    let (events, response) = clock.sse().channel();
    assert!(events.fail("no") && !events.fail("no") && !events.is_active());
    assert!(last_retry(&clock.read(response).text()).is_some());
    assert_eq!(events.close_reason(), Some(CloseReason::Failed));
}

type Body<S> = Pin<Box<sse_core::stream::Results<Clock, S>>>;

fn poll<S: sse_core::stream::Source>(body: &mut Body<S>) -> Poll<Option<Result<bytes::Bytes, StreamFailed>>> {
    futures_core::Stream::poll_next(body.as_mut(), &mut Context::from_waker(Waker::noop()))
}

fn results<S: sse_core::stream::Source>(response: Response<EventStream<Clock, S>>) -> Body<S> {
    Box::pin(response.into_body().into_results())
}

/// Hazard H6.
#[test]
fn a_failed_stream_over_post_ends_in_an_error_after_its_last_events_had_time_to_leave() {
    let clock = Clock::new();
    let mut body = results(post(&clock).stream(failing()));
    assert_eq!(poll(&mut body), Poll::Ready(Some(Ok(":\n".into()))));
    assert_eq!(poll(&mut body), Poll::Ready(Some(Ok("data: one\n\n".into()))));
    assert!(poll(&mut body).is_pending(), "the server has yet to send them");
    clock.advance(Duration::from_millis(50));
    assert!(matches!(poll(&mut body), Poll::Ready(Some(Err(_)))));
    assert_eq!(poll(&mut body), Poll::Ready(None));
    assert_eq!(poll(&mut body), Poll::Ready(None));
}

#[test]
fn complete_stream_over_post_ends_without_an_error() {
    let clock = Clock::new();
    let mut body = results(post(&clock).stream(futures_util::stream::iter(["one"])));
    while let Poll::Ready(Some(chunk)) = poll(&mut body) {
        assert!(chunk.is_ok());
    }
    assert_eq!(poll(&mut body), Poll::Ready(None));
    let mut body = results(clock.sse().stream(failing()));
    while let Poll::Ready(Some(chunk)) = poll(&mut body) {
        assert!(chunk.is_ok(), "a GET is told when to reconnect instead");
    }
    assert_eq!(poll(&mut body), Poll::Ready(None));
}

type Ends = Arc<Mutex<Vec<(CloseReason, Option<String>)>>>;

fn counted<S>(ends: &Ends, sse: Sse<Clock>, open: impl FnOnce(Sse<Clock>) -> S) -> S {
    let ends = ends.clone();
    open(sse.on_end(move |reason, error| ends.lock().unwrap().push((reason, error.map(ToString::to_string)))))
}

#[test]
fn on_end_runs_once_per_stream_with_its_error() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let ends = Ends::default();
    let taken = || std::mem::take(&mut *ends.lock().unwrap());

    let mut reader = clock.read(counted(&ends, clock.sse(), |sse| sse.stream(failing())));
    reader.text();
    assert!(reader.has_ended());
    drop(reader);
    let failed = |why: &str| vec![(CloseReason::Failed, Some(format!("the source of the events failed: {why}")))];
    assert_eq!(taken(), failed("the database said no"));

    let (events, response) = counted(&ends, post(&clock), Sse::channel);
    events.fail("no model");
    clock.read(response).text();
    assert_eq!(taken(), failed("no model"));

    drop(counted(&ends, clock.sse(), Sse::channel));
    assert_eq!(taken(), [(CloseReason::ClientLeft, None)]);

    let mut reader = clock.read(counted(&ends, clock.sse(), |sse| sse.subscribe(&hub, ["news"])).into_response());
    reader.text();
    let mut drained = pin!(hub.drain(Duration::ZERO));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(drained.as_mut().poll(&mut cx).is_pending());
    reader.text();
    assert!(reader.has_ended());
    assert_eq!(taken(), [(CloseReason::Drained, None)]);
    assert_eq!(drained.poll(&mut cx), Poll::Ready(0));

    // None of these streams opened.
    clock.read(counted(&ends, clock.sse(), |sse| sse.subscribe(&hub, ["news"])).into_response()).text();
    clock.read(counted(&ends, clock.sse(), |sse| sse.attach(&hub).channel().1)).text();
    drop(counted(&ends, clock.sse(), |sse| sse.subscribe(&hub, ["x".repeat(257)])));
    assert_eq!(taken(), []);
}

/// Hazard G5.
#[test]
fn on_end_may_use_the_hub_and_the_sender() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let slot: Arc<Mutex<Option<sse_core::Sender>>> = Arc::default();
    let (inside, of_slot) = (hub.clone(), slot.clone());
    let sse = clock.sse().attach(&hub).on_end(move |_, _| {
        let events = of_slot.lock().unwrap().take().unwrap();
        assert_eq!(events.close_reason(), Some(CloseReason::ClientLeft));
        assert_eq!(events.try_send("late"), Err(SendError::Closed));
        assert_eq!(inside.stats().streams, 0);
        inside.publish("ends", "one").unwrap();
    });
    let (events, response) = sse.channel();
    *slot.lock().unwrap() = Some(events);
    drop(response);
    assert_eq!(hub.stats().published, 1);
}

/// Hazard H2: without CORS headers a page of another origin could not read the delay.
#[test]
fn retry_later_answer_has_the_handlers_headers_and_the_reason() {
    let clock = Clock::new();
    let full = Hub::builder().max_streams(0).build_on(clock.clone());
    let draining = Hub::builder().build_on(clock.clone());
    drop(draining.drain(Duration::ZERO));
    let cors = |sse: Sse<Clock>| {
        let sse = sse.header("access-control-allow-origin", "https://app.example").unwrap();
        let sse = sse.header("Set-Cookie", "a=1").unwrap().header("set-cookie", "b=2").unwrap();
        sse.header("cache-control", "no-cache").unwrap().header("cache-control", "private").unwrap()
    };
    let values = |response: &Response<EventStream<Clock>>, name: &str| -> Vec<String> {
        response.headers().filter(|(own, _)| *own == name).map(|(_, value)| value.to_owned()).collect()
    };
    let kept = |response: &Response<EventStream<Clock>>| {
        assert_eq!(values(response, "access-control-allow-origin"), ["https://app.example"]);
        assert_eq!(values(response, "set-cookie"), ["a=1", "b=2"]);
        assert_eq!(values(response, "cache-control"), ["private"]);
    };
    for (hub, reason) in [(&full, "full"), (&draining, "draining")] {
        let answers = [
            cors(clock.sse()).subscribe(hub, ["news"]).into_response(),
            cors(clock.sse()).attach(hub).channel().1,
            cors(clock.sse()).owned_by(Some(hub)).channel().1,
        ];
        for answer in answers {
            kept(&answer);
            assert_eq!((answer.status(), answer.id()), (200, None));
            let mut reader = clock.read(answer);
            let text = reader.text();
            let later = format!("event: sse-later\ndata: {{\"reason\":\"{reason}\"}}\n\n");
            assert!(text.contains("retry: ") && text.ends_with(&later) && reader.has_ended(), "{text}");
        }
        let unnamed = asked(&clock, "GET", "*/*").subscribe(hub, ["news"]).into_response();
        assert!(!clock.read(unnamed).text().contains("sse-later"));
        let posted = cors(post(&clock)).subscribe(hub, ["news"]).into_response();
        kept(&posted);
        assert_eq!((posted.status(), values(&posted, "retry-after").len()), (503, 1));
        assert_eq!(clock.read(posted).text(), "");
        let stats = hub.stats();
        assert_eq!((stats.retry_later, stats.ended(CloseReason::Drained), stats.streams), (5, 0, 0));
    }
    // A subscription to a full hub has the same headers.
    let crowded = Hub::builder().max_topics(0).build_on(clock.clone());
    clock.read(cors(clock.sse()).subscribe(&crowded, ["news"]).into_response()).text();
    assert_eq!((crowded.stats().retry_later, crowded.stats().ended(CloseReason::Drained)), (1, 0));
    // A stream that opens has all headers too.
    kept(&cors(clock.sse()).channel().1);
}

/// Hazard H7.
#[test]
fn retry_later_delay_grows_with_the_number_of_clients() {
    let clock = Clock::new();
    let hub = Hub::builder().max_streams(0).build_on(clock.clone());
    let wait = || {
        let text = clock.read(asked(&clock, "GET", "*/*").subscribe(&hub, ["news"]).into_response()).text();
        last_retry(&text).expect(&text)
    };
    assert!((0..100).all(|_| (1_000..=5_000).contains(&wait())));
    let waits: Vec<_> = (0..10_000).map(|_| wait()).collect();
    let late = waits.iter().skip(9_000).copied();
    let (longest, sum) = (late.clone().max().unwrap(), late.sum::<u64>());
    assert!((40_000..=52_000).contains(&longest), "{longest}");
    assert!((20_000..=30_000).contains(&(sum / 1_000)), "spread over all of it: {}", sum / 1_000);
    clock.advance(30 * SECOND);
    assert!((0..100).all(|_| (1_000..=5_000).contains(&wait())));
}

#[test]
fn a_subscription_to_another_hub_than_the_one_attached_to_is_rejected() {
    let clock = Clock::new();
    let (one, two) = (Hub::builder().build_on(clock.clone()), Hub::builder().build_on(clock.clone()));
    let feed = clock.sse().attach(&one).subscribe(&two, ["news"]);
    assert_eq!((feed.error(), feed.id()), (Some(&SubscribeError::OtherHub), None));
    assert_eq!(feed.into_response().status(), 500);
    assert!(clock.sse().attach(&one).subscribe(&one, ["news"]).id().is_some());
    // Streams without another hub belong to the hub of the route.
    let feed = clock.sse().owned_by(Some(&one)).subscribe(&two, ["news"]);
    assert_eq!((feed.error(), one.stats().streams, two.stats().streams), (None, 0, 1));
}

#[test]
fn a_hub_of_a_route_owns_its_channels_and_streams() {
    let clock = Clock::new();
    let (hub, other) = (Hub::builder().build_on(clock.clone()), Hub::builder().build_on(clock.clone()));
    let of_route = || clock.sse().owned_by(Some(&hub));
    let _channel = of_route().channel();
    let _stream = of_route().stream(futures_util::stream::pending::<&str>());
    let _elsewhere = of_route().attach(&other).channel();
    assert_eq!((hub.stats().streams, other.stats().streams), (2, 1));
}

/// Hazards I1 and I2.
#[test]
fn events_of_types_that_a_page_cannot_use_are_rejected() {
    let clock = Clock::new();
    for (event, error) in [
        (Event::new().event("done"), FrameError::NoData(Field::Event)),
        (Event::new().id("7"), FrameError::NoData(Field::Id)),
        (Event::checkpoint("7").event("done"), FrameError::NoData(Field::Event)),
    ] {
        assert!(error.to_string().contains("Event::data(\"\")"), "{error}");
        assert_eq!(event.frame(), Err(error.clone()));
        assert_eq!(event.into_frame(), Err(error));
    }
    for event in [Event::new(), Event::new().retry(SECOND), Event::new().comment("x"), Event::data("").event("done")] {
        assert!(event.frame().is_ok(), "{event:?}");
    }
    let hub = Hub::builder().build_on(clock.clone());
    for event_type in ["error", "open"] {
        let error = FrameError::PageType(event_type.into());
        assert!(error.to_string().contains("EventSource"), "{error}");
        assert_eq!(hub.publish("news", (event_type, "x")), Err(error.clone().into()));
        let (events, _response) = clock.sse().channel();
        assert_eq!(events.try_send((event_type, "x")), Err(error.clone().into()));
        assert_eq!(events.try_send(Event::data("x").event(event_type).frame().unwrap()), Err(error.into()));
        let (events, response) = post(&clock).channel();
        assert_eq!(events.try_send((event_type, "x")), Ok(()));
        assert!(clock.read(response).text().contains(event_type), "a program hears no events but those sent");
    }
    let mut reader = Reader::new(clock.sse().stream(futures_util::stream::iter([("error", "x")])).into_body());
    assert!(!reader.text().contains("event: error") && reader.has_ended());
}
