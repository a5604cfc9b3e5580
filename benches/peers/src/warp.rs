//! warp's own `sse`.

use crate::app::{App, Fields};
use futures_util::StreamExt;
use std::convert::Infallible;
use std::net::TcpListener;
use std::time::Duration;
use warp::http::StatusCode;
use warp::sse::Event;
use warp::{Filter, Reply};

pub(crate) async fn serve(app: App, listener: TcpListener) -> std::io::Result<()> {
    let with_app = warp::any().map(move || app.clone());
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let script =
        warp::path!("script").and(warp::get().or(warp::head()).unify()).and(with_app.clone()).and(query).map(script);
    let plain = with_app.and(warp::path::full()).map(|app: App, path: warp::path::FullPath| {
        let (status, body) = app.plain(path.as_str());
        warp::reply::with_status(body, StatusCode::from_u16(status).unwrap_or_default())
    });
    let listener = tokio::net::TcpListener::from_std(listener)?;
    warp::serve(script.or(plain)).incoming(listener).graceful(crate::stopped()).run().await;
    Ok(())
}

fn script(app: App, query: String) -> warp::reply::Response {
    let Some((id, events)) = app.script(&query) else { return StatusCode::BAD_REQUEST.into_response() };
    let events = events.map(|fields| Ok::<_, Infallible>(event(fields)));
    let events = warp::sse::keep_alive().interval(app.keep_alive).stream(events);
    warp::reply::with_header(warp::sse::reply(events), "x-stream-id", id).into_response()
}

fn event(fields: Fields) -> Event {
    let mut event = Event::default();
    if let Some(comment) = fields.comment {
        event = event.comment(comment);
    }
    if let Some(id) = fields.id {
        event = event.id(id);
    }
    if let Some(name) = fields.event {
        event = event.event(name);
    }
    if let Some(retry) = fields.retry {
        event = event.retry(Duration::from_millis(retry));
    }
    if let Some(data) = fields.data {
        event = event.data(data);
    }
    event
}
