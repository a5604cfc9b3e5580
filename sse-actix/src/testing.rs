//! Tests of handlers without a socket: call the application, read the events, move the clock.
//!
//! ```
//! use actix_web::{App, web};
//! use sse_actix::testing::{advance, get, get_after, init_service, pause};
//! use sse_actix::{Hub, Sse};
//! use std::time::Duration;
//!
//! # actix_web::rt::System::new().block_on(async {
//! let hub = Hub::new();
//! let news = async |sse: Sse, hub: web::Data<Hub>| sse.subscribe(&hub, ["news"]);
//! let app = App::new().app_data(web::Data::new(hub.clone())).route("/news", web::to(news));
//! let app = init_service(app).await;
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

use actix_http::Request;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::header::ACCEPT;
use actix_web::{Error, HttpResponse};
use futures_util::stream;
use std::error::Error as StdError;

pub use actix_web::test::{TestRequest, init_service};
pub use sse_core::testing::{ReadError, ResponseReader, advance, pause};

/// Sends the request of a new `EventSource`.
///
/// # Panics
/// Panics if the path is no URI.
///
/// [The module](self) has an example.
pub async fn get<S, B>(app: &S, path: &str) -> ResponseReader
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    send(app, event_source(path)).await
}

/// Sends the request of an `EventSource` that reconnects with this last event ID.
///
/// # Panics
/// Panics if the path is no URI, or the ID is no header value.
///
/// [The module](self) has an example.
pub async fn get_after<S, B>(app: &S, path: &str, last_event_id: &str) -> ResponseReader
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    send(app, event_source(path).insert_header(("last-event-id", last_event_id))).await
}

/// Sends any request, for example a POST, or one with a cookie.
///
/// ```
/// # use actix_web::{App, web};
/// # use sse_actix::{Sse, testing::{TestRequest, init_service, send}};
/// # actix_web::rt::System::new().block_on(async {
/// let app = init_service(App::new().route("/news", web::to(async |sse: Sse| sse.channel().1))).await;
/// let request = TestRequest::post().uri("/news").insert_header(("cookie", "login=7"));
/// let response = send(&app, request).await;
/// assert_eq!(response.status(), 405);
/// assert!(response.text().await?.starts_with("this route opens an event stream only for these methods"));
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn send<S, B>(app: &S, request: TestRequest) -> ResponseReader
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    let response = match app.call(request.to_request()).await {
        Ok(response) => HttpResponse::from(response).map_into_boxed_body(),
        Err(error) => HttpResponse::from_error(error),
    };
    let headers: Vec<_> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let status = response.status().as_u16();
    let mut body = Box::pin(response.into_body());
    let chunks = stream::poll_fn(move |cx| body.as_mut().poll_next(cx).map_err(text));
    ResponseReader::new(status, headers, chunks)
}

fn text(error: Box<dyn StdError>) -> String {
    error.to_string()
}

fn event_source(path: &str) -> TestRequest {
    TestRequest::get().uri(path).insert_header((ACCEPT, "text/event-stream"))
}
