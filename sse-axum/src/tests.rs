//! The adapter's own rules; the protocol is tested in sse-core and by the conformance kit.

use super::*;
use axum::body::Body;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;

fn parts(method: &str, accept: &str, policy: Option<Policy>) -> Parts {
    let request = http::Request::builder().method(method).header("accept", accept).body(());
    let mut parts = request.expect("a request").into_parts().0;
    policy.map(|policy| parts.extensions.insert(policy));
    parts
}

async fn taken(mut parts: Parts) -> Result<Sse, Error> {
    <Sse as FromRequestParts<()>>::from_request_parts(&mut parts, &()).await
}

async fn taken_if_named(mut parts: Parts) -> Result<Option<Sse>, Error> {
    <Sse as OptionalFromRequestParts<()>>::from_request_parts(&mut parts, &()).await
}

#[tokio::test]
async fn the_policy_of_a_route_is_an_extension() {
    assert_eq!(
        taken(parts("POST", "*/*", None)).await.map(drop).map_err(|error| error.rejection().map(Rejection::status)),
        Err(Some(405))
    );
    assert!(taken(parts("POST", "*/*", Some(Policy::default().methods(["POST"])))).await.is_ok());
}

/// Hazard E18.
#[tokio::test]
async fn an_error_of_a_handler_is_a_500_that_repeats_nothing() {
    let sse = async || taken(parts("GET", "*/*", None)).await;
    let header = async || Ok(sse().await?.header("content-type", "text/secret")?.channel().1);
    let publish = async || Ok(Hub::new().publish("secret".repeat(100), Event::data("x")).map(drop)?);
    let send = async || Ok(sse().await?.channel().0.try_send(Event::data("x").event("\nsecret"))?);
    let frame = async || Ok(Event::data("x").id("secret\0").frame().map(drop)?);
    let answers: [Result<(), Error>; 4] = [header().await.map(drop), publish().await, send().await, frame().await];
    for answer in answers {
        let answer = answer.into_response();
        assert_eq!((answer.status().as_u16(), &answer.headers()["cache-control"]), (500, &"no-store".parse().unwrap()));
        assert_eq!(axum::body::to_bytes(answer.into_body(), 1000).await.unwrap(), Error::BODY);
    }
    let refused = async || Ok::<_, Error>(taken(parts("POST", "*/*", None)).await?);
    assert_eq!(refused().await.map(drop).into_response().status().as_u16(), 405);
}

/// Hazard E9.
#[tokio::test]
async fn an_option_must_be_named_and_still_answers_head() {
    assert!(matches!(taken_if_named(parts("GET", "*/*", None)).await, Ok(None)));
    assert!(matches!(taken_if_named(parts("GET", "text/event-stream", None)).await, Ok(Some(_))));
    let refused = taken_if_named(parts("HEAD", "text/event-stream", None)).await.map(drop);
    assert_eq!(refused.map_err(|error| error.rejection().cloned()), Err(Some(Rejection::Head)));
    let posted = |policy| taken_if_named(parts("POST", "application/json, text/event-stream", policy));
    assert_eq!(posted(None).await.map(drop).map_err(|error| error.rejection().map(Rejection::status)), Err(Some(405)));
    assert!(matches!(posted(Some(Policy::default().methods(["POST"]))).await, Ok(Some(_))));
}

/// Hazard E11.
#[tokio::test]
async fn a_strict_policy_looks_at_host_authority_and_origin() {
    let status = async |uri: &str, headers: &[(&str, &str)]| {
        let mut parts = parts("GET", "*/*", Some(Policy::local()));
        parts.uri = uri.parse().expect("a URI");
        for (name, value) in headers {
            parts.headers.insert(
                http::HeaderName::from_bytes(name.as_bytes()).expect("a name"),
                value.parse().expect("a value"),
            );
        }
        taken(parts).await.map(drop).map_err(|error| error.rejection().map(Rejection::status))
    };
    assert_eq!(status("/", &[("host", "localhost:3000")]).await, Ok(()));
    assert_eq!(status("http://127.0.0.1:3000/", &[]).await, Ok(()), "as HTTP/2 has it");
    assert_eq!(status("/", &[("host", "evil.example")]).await, Err(Some(403)));
    assert_eq!(status("/", &[("host", "localhost"), ("origin", "https://evil.example")]).await, Err(Some(403)));
}

#[tokio::test]
async fn a_future_writes_the_body() {
    let sse = taken(parts("GET", "text/event-stream", None)).await.expect("a stream");
    let parts = String::from("a part of the request");
    let response = sse.run(async move |events| {
        tokio::task::yield_now().await;
        events.send(parts).await?;
        Ok(())
    });
    let body = axum::body::to_bytes(response.into_response().into_body(), 1000).await.unwrap();
    let expected = ":\nevent: sse-open\n\ndata: a part of the request\n\nevent: sse-end\nid: end\ndata: {}\n\n";
    assert_eq!(body, expected);
}

#[tokio::test]
async fn fetch_takes_a_post_of_any_accept() {
    assert!(taken(parts("POST", "application/json", Some(Policy::fetch()))).await.is_ok());
    assert!(taken(parts("GET", "application/json", Some(Policy::fetch()))).await.is_ok());
    let rejected = taken(parts("POST", "application/json", None)).await.map(drop).into_response();
    assert_eq!(rejected.status().as_u16(), 405);
    let body = axum::body::to_bytes(rejected.into_body(), 1000).await.unwrap();
    assert!(String::from_utf8_lossy(&body).contains("`Policy::fetch()`"));
}

#[tokio::test]
async fn a_feed_is_a_route() {
    use tower_service::Service;
    let hub = Hub::new();
    hub.publish("news", "rain").unwrap();
    let options = Feed::new(&hub, ["news"]).replay(Replay::All).policy(Policy::fetch());
    let app: axum::Router =
        axum::Router::new().route("/news", feed(&hub, ["news"])).route("/all", options.into_route());
    let read = async |method: &str, path: &str, chunks: usize| {
        let request = http::Request::builder().method(method).uri(path).header("accept", "text/event-stream");
        let answer = app.clone().call(request.body(Body::empty()).unwrap()).await.unwrap();
        let (status, mut body) = (answer.status().as_u16(), answer.into_body());
        let mut text = String::new();
        for _ in 0..chunks {
            let chunk =
                std::future::poll_fn(|cx| axum::body::HttpBody::poll_frame(std::pin::Pin::new(&mut body), cx)).await;
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

#[test]
fn a_stream_that_is_not_sync_is_a_response() {
    fn _compiles<S: sse_core::__Stream<Item = String> + Send + 'static>(sse: Sse, events: S) -> Response {
        sse.stream(events).into_response()
    }
}
