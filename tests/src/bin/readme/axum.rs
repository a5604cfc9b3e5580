//! The handlers and the shutdown of docs/axum.md.

use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use axum::{Extension, Router, routing::any};
use futures_util::{StreamExt, stream};
use sse_axum::{Event, Hub, Policy, Sse};
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;

pub(crate) async fn run(listener: TcpListener, signal: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let hub = Hub::new();
    let app = Router::new().route("/news", any(news)).with_state(hub.clone()).merge(routes());
    serve(listener, app, hub, signal).await
}

async fn news(sse: Sse, State(hub): State<Hub>) -> impl IntoResponse {
    sse.subscribe(&hub, ["news"])
}

async fn countdown(sse: Sse) -> impl IntoResponse {
    sse.run(async move |events| {
        for n in (0..=10).rev() {
            events.send(n.to_string()).await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    })
}

async fn tokens(sse: Sse) -> impl IntoResponse {
    let model = stream::iter(["To", "ken", "s"]);
    sse.stream(model.map(|token| Event::json(&token)))
}

async fn page(sse: Option<Sse>) -> Response {
    match sse {
        Some(sse) => sse.stream(stream::iter(["hello"])).into_response(),
        None => Html("<script>new EventSource(location)</script>").into_response(),
    }
}

async fn ask(sse: Sse, question: String) -> impl IntoResponse {
    sse.stream(stream::iter([question, "42".into()]))
}

fn routes() -> Router {
    // Few clients that post name `text/event-stream` in `Accept`.
    let posted = Policy::fetch();
    Router::new()
        .route("/countdown", any(countdown))
        .route("/tokens", any(tokens))
        .route("/ask", any(ask).layer(Extension(posted)))
        .route("/", any(page))
}

async fn serve<S>(listener: TcpListener, app: Router, hub: Hub, signal: S) -> io::Result<()>
where
    S: Future<Output = ()> + Send + 'static,
{
    let app = app.layer(Extension(hub.clone())); // the hub owns every stream of these routes
    let stop = async move {
        signal.await;
        hub.drain(Duration::from_secs(5)).await;
    };
    axum::serve(listener, app).with_graceful_shutdown(stop).await
}
