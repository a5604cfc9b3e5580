//! The adapter's own rules; the protocol is tested in sse-core and by the conformance kit.

use super::*;
use futures_util::StreamExt;
use std::cell::Cell;
use std::pin::Pin;
use std::task::Context;
use warp::reply::{Reply, Response};
use warp::{Filter, reply};

#[tokio::test]
async fn a_rejected_request_is_answered_without_recover() {
    let news = warp::path("news").and(sse(())).map(|sse: Sse| {
        let (events, response) = sse.prelude(["hello"]).channel();
        assert!(events.is_active() || events.try_send("x").is_err());
        response
    });
    let answer = async |method: &str, path: &str| {
        let response = warp::test::request().method(method).path(path).reply(&news).await;
        (response.status().as_u16(), response.headers().contains_key("content-length"))
    };
    assert_eq!(answer("POST", "/news").await, (405, false));
    assert_eq!(answer("HEAD", "/news").await, (200, false));
    assert_eq!(answer("GET", "/news").await, (200, false));
    assert_eq!(answer("GET", "/nowhere").await.0, 404);
}

#[tokio::test]
async fn every_response_of_a_rejected_request_is_the_rejection() {
    let hub = Hub::builder().build();
    let rejected = || Sse::rejected(Rejection::NotAcceptable { mode: AcceptMode::Negotiated });
    let responses = [
        rejected().channel().1.into_response(),
        rejected().stream(futures_util::stream::repeat("x")).into_response(),
        rejected().subscribe(&hub, ["news"]).into_response(),
        rejected().subscribe(&hub, Vec::<String>::new()).with_sender().1.into_response(),
        Error::from(Rejection::NotAcceptable { mode: AcceptMode::Negotiated }).into_response(),
    ];
    for response in responses {
        assert_eq!(response.status().as_u16(), 406);
        assert_eq!(response.headers()["cache-control"], "no-store");
    }
    assert_eq!((hub.stats().streams, hub.stats().topics), (0, 0));
}

#[tokio::test]
async fn the_policy_of_a_route_is_an_argument() {
    let request = || warp::test::request().method("POST").path("/?lastEventId=7");
    let posted = sse(Policy::default().methods(["POST"]).last_event_id_query("lastEventId"));
    let taken = request().filter(&posted).await.expect("never rejects");
    assert_eq!((taken.rejection(), taken.last_event_id().as_str()), (None, Some("7")));
    let rejected = request().filter(&sse(())).await.expect("never rejects");
    assert_eq!(rejected.rejection().map(Rejection::status), Some(405));
}

#[tokio::test]
async fn a_future_writes_the_body() {
    let count = warp::path("count").and(sse(())).map(|sse: Sse| {
        sse.run(async move |events| {
            tokio::task::yield_now().await;
            events.send("one").await?;
            Ok(())
        })
    });
    let request = warp::test::request().path("/count").header("accept", "text/event-stream");
    let expected = ":\nevent: sse-open\n\ndata: one\n\nevent: sse-end\nid: end\ndata: {}\n\n";
    assert_eq!(request.reply(&count).await.body(), expected);
}

#[tokio::test]
async fn fetch_takes_a_post_of_any_accept() {
    let request = || warp::test::request().method("POST").header("accept", "application/json");
    let taken = request().filter(&sse(Policy::fetch())).await.expect("never rejects");
    assert_eq!(taken.rejection(), None);
    let rejected = request().reply(&sse(()).map(|sse: Sse| sse.channel().1)).await;
    assert!(String::from_utf8_lossy(rejected.body()).contains("`Policy::fetch()`"));
}

#[tokio::test]
async fn a_feed_is_a_filter() {
    let hub = Hub::new();
    hub.publish("news", "rain").unwrap();
    let options = Feed::new(&hub, ["news"]).replay(Replay::All).policy(Policy::fetch());
    let routes = warp::path!("news").and(feed(&hub, ["news"])).or(warp::path!("all").and(options.into_filter()));
    let read = async |method: &str, path: &str, chunks: usize| {
        let request = warp::test::request().method(method).path(path).header("accept", "text/event-stream");
        let answer = request.filter(&routes).await.unwrap().into_response();
        let (status, mut body) = (answer.status().as_u16(), answer.into_body());
        let mut text = String::new();
        for _ in 0..chunks {
            let poll = |cx: &mut Context<'_>| warp::hyper::body::Body::poll_frame(Pin::new(&mut body), cx);
            let chunk = std::future::poll_fn(poll).await;
            let data = chunk.and_then(|frame| frame.ok()?.into_data().ok()).unwrap_or_default();
            text.push_str(std::str::from_utf8(&data).unwrap());
        }
        (status, text)
    };
    assert!(matches!(read("GET", "/news", 1).await, (200, text) if text.starts_with(":\nevent: sse-position\n")));
    assert_eq!(read("HEAD", "/news", 1).await, (200, String::new()));
    assert_eq!(read("POST", "/news", 1).await.0, 405);
    assert!(matches!(read("POST", "/all", 2).await, (200, text) if text.starts_with(":\ndata: rain\n")));
}

/// Hazard E9.
#[tokio::test]
async fn an_option_is_decided_by_accept_alone() {
    let status = async |method, accept: &str| {
        let request = warp::test::request().method(method).header("accept", accept);
        let taken = request.filter(&optional(())).await.expect("never rejects");
        taken.map(|sse| sse.rejection().map(Rejection::status))
    };
    assert_eq!(status("GET", "text/html, */*;q=0.8").await, None);
    assert_eq!(status("POST", "application/json").await, None);
    assert_eq!(status("GET", "text/event-stream").await, Some(None));
    assert_eq!(status("POST", "application/json, text/event-stream").await, Some(Some(405)));
    assert_eq!(status("HEAD", "text/event-stream").await, Some(Some(200)));
}

/// Hazard E18.
#[tokio::test]
async fn an_error_of_a_handler_is_a_500_that_repeats_nothing() {
    let header = |sse: Sse| Ok(sse.header("content-type", "text/secret")?.channel().1);
    let routes = sse(()).map(move |sse| -> Result<SseResponse, Error> { header(sse) });
    let answer = warp::test::request().reply(&routes).await;
    assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (500, Error::BODY.as_bytes()));
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let publish = || Ok(Hub::new().publish("secret".repeat(100), Event::data("x")).map(drop)?);
    let send = |events: Sender| Ok(events.try_send(Event::data("x").event("\nsecret"))?);
    let frame = || Ok(Event::data("x").id("secret\0").frame().map(drop)?);
    let sse = warp::test::request().filter(&sse(())).await.expect("never rejects");
    let answers: [Result<(), Error>; 3] = [publish(), send(sse.channel().0), frame()];
    for answer in answers {
        assert_eq!(answer.map(|()| reply::reply()).into_response().status().as_u16(), 500);
    }
}

/// Hazard E11.
#[tokio::test]
async fn a_strict_policy_looks_at_host_authority_and_origin() {
    let local = sse(Policy::local());
    let status = async |uri: &str, headers: &[(&'static str, &str)]| {
        let mut request = warp::test::request().path(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let taken = request.filter(&local).await.expect("never rejects");
        taken.rejection().map(Rejection::status)
    };
    assert_eq!(status("/", &[("host", "localhost:3000")]).await, None);
    assert_eq!(status("http://127.0.0.1:3000/", &[]).await, None, "as HTTP/2 has it");
    assert_eq!(status("/", &[("host", "evil.example")]).await, Some(403));
    assert_eq!(status("/", &[("host", "localhost"), ("origin", "https://evil.example")]).await, Some(403));
}

#[test]
fn a_stream_that_is_not_sync_is_a_reply() {
    fn _compiles(sse: Sse) -> Response {
        let count = Cell::new(0);
        sse.stream(futures_util::stream::repeat(()).map(move |()| count.replace(1).to_string())).into_response()
    }
}
