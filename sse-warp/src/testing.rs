//! Tests of handlers without a socket: call the filter, read the events, move the clock.
//!
//! ```
//! use sse_warp::testing::{advance, get, get_after, pause};
//! use sse_warp::{Hub, Sse};
//! use std::time::Duration;
//! use warp::Filter;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let hub = Hub::new();
//! let news = hub.clone();
//! let app = warp::path!("news").and(sse_warp::sse(())).map(move |sse: Sse| sse.subscribe(&news, ["news"]));
//! let mut client = get(&app, "/news").await;
//! assert_eq!(client.status(), 200);
//!
//! hub.publish("news", "rain")?;
//! assert_eq!(client.next().await?.data, "rain");
//!
//! let id = client.last_event_id().to_owned();
//! drop(client); // the client leaves
//! assert_eq!(hub.subscribers("news"), 0);
//! hub.publish("news", "missed")?;
//! let mut client = get_after(&app, "/news", &id).await;
//! assert_eq!(client.next().await?.data, "missed");
//!
//! pause();
//! advance(Duration::from_secs(3600)).await; // an hour without an event
//! assert!(client.available().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use http::header::ACCEPT;
use http::{HeaderValue, Request};
use tower_service::Service;
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

pub use sse_core::testing::{ReadError, ResponseReader, advance, pause};

/// Sends the request of a new `EventSource`.
///
/// # Panics
/// Panics if the path is no URI.
///
/// [The module](self) has an example.
pub async fn get<F>(app: &F, path: &str) -> ResponseReader
where
    F: Filter<Extract: Reply, Error = Rejection> + Clone + Send + 'static,
{
    send(app, event_source(path)).await
}

/// Sends the request of an `EventSource` that reconnects with this last event ID.
///
/// # Panics
/// Panics if the path is no URI, or the ID is no header value.
///
/// [The module](self) has an example.
#[expect(clippy::expect_used, reason = "only tests call this")]
pub async fn get_after<F>(app: &F, path: &str, last_event_id: &str) -> ResponseReader
where
    F: Filter<Extract: Reply, Error = Rejection> + Clone + Send + 'static,
{
    let mut request = event_source(path);
    let id = HeaderValue::from_bytes(last_event_id.as_bytes()).expect("a last event ID is a header value");
    request.headers_mut().insert("last-event-id", id);
    send(app, request).await
}

/// Sends any request, for example a POST, or one with a cookie.
///
/// ```
/// # use sse_warp::{Sse, testing::send};
/// # use warp::Filter;
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let app = warp::path!("news").and(sse_warp::sse(())).map(|sse: Sse| sse.channel().1);
/// let request = http::Request::post("/news").header("cookie", "login=7").body(String::new())?;
/// let response = send(&app, request).await;
/// assert_eq!(response.status(), 405);
/// assert!(response.text().await?.starts_with("this route opens an event stream only for these methods"));
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn send<F>(app: &F, request: Request<String>) -> ResponseReader
where
    F: Filter<Extract: Reply, Error = Rejection> + Clone + Send + 'static,
{
    let response: Result<Response, std::convert::Infallible> = warp::service(app.clone()).call(request).await;
    match response {
        Ok(response) => response.into(),
        Err(never) => match never {},
    }
}

#[expect(clippy::expect_used, reason = "only tests call this")]
fn event_source(path: &str) -> Request<String> {
    let request = Request::get(path).header(ACCEPT, "text/event-stream");
    request.body(String::new()).expect("the path is a URI")
}
