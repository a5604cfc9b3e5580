//! Requests and responses of the crate `http`.

use http_body::Body as _;
use http_body_util::BodyExt;
use sse_core::testing::Clock;
use sse_core::{Event, Frame, FrameError, HttpBody, Hub, IntoFrame, LastEventId, Policy, Rejection, Request, Sse};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

fn request(builder: http::request::Builder) -> http::Request<()> {
    builder.body(()).unwrap()
}

#[test]
fn request_has_method_query_authority_and_all_headers() {
    let whole = request(
        http::Request::get("http://app.example/news?last=41")
            .header("accept", "text/html")
            .header("accept", "text/event-stream")
            .header("last-event-id", http::HeaderValue::from_bytes("äö".as_bytes()).unwrap()),
    );
    let policy = Policy::default().hosts(["app.example"]).unwrap();
    let accepted = policy.check(&Request::from(&whole)).unwrap();
    assert_eq!(accepted.last_event_id, LastEventId::Text("äö".into()));

    let (parts, ()) = request(http::Request::get("http://evil.example/")).into_parts();
    assert_eq!(policy.check(&Request::from(&parts)), Err(Rejection::HostNotAllowed));

    let (parts, ()) = request(http::Request::get("/?last=41")).into_parts();
    let accepted = Policy::default().last_event_id_query("last").check(&Request::from(&parts)).unwrap();
    assert_eq!(accepted.last_event_id.as_str(), Some("41"));

    let posted = request(http::Request::post("/"));
    assert!(matches!(Policy::default().check(&Request::from(&posted)), Err(Rejection::MethodNotAllowed { .. })));
}

#[test]
fn response_of_a_stream_has_its_status_and_each_header() {
    let sse = Clock::new().sse().header("set-cookie", "a=1").unwrap().header("set-cookie", "b=2").unwrap();
    let (_events, response) = sse.channel();
    let response = response.into_http();
    assert_eq!(response.status(), 200);
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(response.headers()["cache-control"], "no-store, no-transform");
    assert!(!response.headers().contains_key("content-length"));
}

/// One handler can return each kind of stream, and a rejection.
#[test]
fn all_responses_have_one_type_of_body() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let responses: [http::Response<HttpBody<Clock>>; 5] = [
        clock.sse().channel().1.into_http(),
        clock.sse().stream(futures_util::stream::iter(["one"])).into_http(),
        clock.sse().run(async |events| Ok(events.send("one").await?)).into_http(),
        clock.sse().subscribe(&hub, ["news"]).into_http(),
        Rejection::Finished.into_http(),
    ];
    assert_eq!(responses.map(|response| response.status().as_u16()), [200, 200, 200, 200, 204]);
}

#[test]
fn each_rejection_keeps_its_answer() {
    let policy = Policy::local();
    let rows = [
        (request(http::Request::post("/")), 405, "this route opens"),
        (request(http::Request::get("/").header("accept", "text/html")), 406, "the Accept header"),
        (request(http::Request::get("/").header("host", "evil.example")), 403, "this route answers"),
        (request(http::Request::get("/").header("host", "localhost").header("last-event-id", "end")), 204, ""),
    ];
    for (request, status, text) in rows {
        let response = policy.check(&Request::from(&request)).unwrap_err().into_http::<Clock>();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["cache-control"], "no-store");
        let length = response.body().size_hint().exact();
        let body = response.into_body().into_bytes().unwrap();
        assert!(body.starts_with(text.as_bytes()) && body.is_empty() == text.is_empty(), "{body:?}");
        assert_eq!(length, Some(body.len() as u64));
    }
}

/// A size would become a `content-length`, and a body that is not at its end a DATA frame of HTTP/2.
#[test]
fn answer_to_head_has_no_size_and_is_at_its_end() {
    let head = request(http::Request::head("/"));
    let response = Policy::default().check(&Request::from(&head)).unwrap_err().into_http::<Clock>();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.body().size_hint().exact(), None);
    assert!(response.body().is_end_stream());
}

#[test]
fn options_of_a_rejected_request_answer_with_the_rejection() {
    let sse = Sse::rejected(Clock::new(), Rejection::HostNotAllowed);
    let response = sse.channel().1.into_http();
    assert_eq!(response.status(), 403);
    assert!(response.body().size_hint().exact().is_some_and(|length| length > 0));
}

#[tokio::test]
async fn text_is_one_frame_and_then_the_end() {
    let mut body = Rejection::HostNotAllowed.into_http::<Clock>().into_body();
    assert!(!body.is_end_stream());
    let text = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(text.ends_with(b"\n"));
    assert!(body.is_end_stream());
    assert!(body.frame().await.is_none());
}

#[test]
fn body_waits_for_events_and_ends_with_the_stream() {
    fn poll(body: &mut Pin<Box<HttpBody<Clock>>>) -> Poll<Option<String>> {
        let polled = body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop()));
        polled.map(|frame| frame.map(|frame| String::from_utf8(frame.unwrap().into_data().unwrap().into()).unwrap()))
    }
    let (events, response) = Clock::new().sse().channel();
    let mut body = Box::pin(response.into_http().into_body());
    assert_eq!(poll(&mut body), Poll::Ready(Some(":\nevent: sse-open\n\n".into())));
    assert_eq!(poll(&mut body), Poll::Pending);
    events.try_send("one").unwrap();
    assert_eq!(poll(&mut body), Poll::Ready(Some("data: one\n\n".into())));
    assert!(!body.is_end_stream());
    events.close();
    assert_eq!(poll(&mut body), Poll::Ready(None));
    assert!(body.is_end_stream());
    assert_eq!(poll(&mut body), Poll::Ready(None));
}

/// The server must abort such a response, which has no other sign of a failure.
#[test]
fn failed_stream_over_post_ends_with_one_error() {
    let clock = Clock::new();
    let policy = Policy::default().methods(["POST"]);
    let accepted = policy.check(&Request::from(&request(http::Request::post("/")))).unwrap();
    let items: [Result<Frame, FrameError>; 2] =
        [Event::data("one").into_frame(), Event::data("").id("a\nb").into_frame()];
    let response = Sse::new(clock.clone(), accepted).stream(futures_util::stream::iter(items)).into_http();
    let mut body = Box::pin(response.into_body());
    let mut cx = Context::from_waker(Waker::noop());
    let mut frames = Vec::new();
    loop {
        match body.as_mut().poll_frame(&mut cx) {
            Poll::Ready(Some(frame)) => frames.push(frame.map(|frame| frame.into_data().unwrap())),
            Poll::Ready(None) => break,
            // The last chunk has time to leave before the abort.
            Poll::Pending => clock.advance(Duration::from_millis(50)),
        }
    }
    assert_eq!(frames.pop().map(|last| last.is_err()), Some(true));
    let sent: Vec<u8> = frames.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(sent, b":\ndata: one\n\n");
    assert!(body.is_end_stream());
}

/// Frameworks require both.
#[test]
fn body_is_send_and_sync() {
    fn check<T: Send + Sync + 'static>() {}
    check::<HttpBody<Clock>>();
}

#[test]
fn body_adds_at_most_8_bytes_to_an_idle_stream() {
    type Stream = sse_core::EventStream<sse_core::Tokio, sse_core::hub::AnySource>;
    let (body, stream) = (size_of::<HttpBody<sse_core::Tokio>>(), size_of::<Stream>());
    assert!(body <= stream + 8, "{body} and {stream}");
}
