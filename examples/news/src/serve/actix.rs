//! The feed on actix-web.

use crate::feed::{Feed, PAGE, PAST};
use crate::posted::{self, MAX_BODY_BYTES, Posted};
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Bytes, Data, Html, PayloadConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, Responder};
use sse_actix::Sse;
use std::future::Future;
use std::io;

pub(crate) async fn serve(
    listener: std::net::TcpListener,
    feed: Feed,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let app = move || {
        App::new()
            .app_data(Data::new(feed.clone()))
            .app_data(PayloadConfig::new(MAX_BODY_BYTES))
            .route("/", web::get().to(async || Html::new(*PAGE)))
            .route("/events", web::to(events))
            .route("/headlines", web::post().to(headlines))
    };
    let server = HttpServer::new(app)
        // Without this setting actix-web notices a client that left only at its next write.
        .h1_allow_half_closed(false)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)?
        .run();
    let handle = server.handle();
    // Stop after the streams have ended, because actix-web checks open connections only once per second.
    tokio::spawn(async move {
        stop.await;
        handle.stop(true).await;
    });
    server.await
}

async fn events(sse: Sse, feed: Data<Feed>) -> impl Responder {
    sse.subscribe(&feed.hub, ["news", "readers"]).replay_topic("news", PAST).prelude(feed.greeting())
}

async fn headlines(feed: Data<Feed>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (content_type, accept) = (header(header::CONTENT_TYPE), header(header::ACCEPT));
    let answer = posted::post(&feed, Posted { content_type, accept, body: &body });
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    match answer.location {
        Some(location) => response.insert_header((header::LOCATION, location)).finish(),
        None if answer.text.is_empty() => response.finish(),
        None => response.content_type("text/plain; charset=utf-8").body(answer.text),
    }
}
