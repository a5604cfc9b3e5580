//! The routes on axum.

use crate::script::{Visits, play};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use sse_axum::Sse;
use std::io;
use std::sync::Arc;

pub(crate) fn start(listener: std::net::TcpListener) -> io::Result<()> {
    let app = Router::new()
        .route("/", get(|| async { Html("parity") }))
        .route("/sse/{route}", get(sse))
        .with_state(Arc::<Visits>::default());
    let listener = tokio::net::TcpListener::from_std(listener)?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(())
}

async fn sse(sse: Sse, Path(route): Path<String>, State(visits): State<Arc<Visits>>) -> impl IntoResponse {
    let sse = if route == "welcome" { sse.welcome() } else { sse };
    let (events, response) = sse.channel();
    play(route, visits.next(), events);
    response
}
