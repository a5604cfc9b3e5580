//! The application behind `sse-actix`.

use super::app::{Answer, App};
use super::plain::Plain;
use super::shutdown::Shutdown;
use super::{body, ready};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::{Compress, Condition};
use actix_web::{App as Routes, HttpRequest, HttpResponse, HttpServer, Responder, web};
use sse_actix::{OptionalSse, Sse, SseResponse};
use std::io;
use std::net::TcpListener;
use std::time::Duration;

pub(super) async fn serve(app: App, listener: TcpListener) -> io::Result<()> {
    let shared = app.clone();
    let routes = move || {
        Routes::new()
            .wrap(Condition::new(shared.options.compress, Compress::default()))
            .app_data(web::Data::new(shared.clone()))
            .service(web::resource("/script").to(script))
            .service(web::resource("/fetch").app_data(App::fetch_policy()).to(fetch))
            .service(web::resource("/optional").to(optional))
            .service(web::resource("/topics").app_data(shared.topics_policy()).to(topics))
            .default_service(web::to(plain))
    };

    let shutdown = Shutdown::on_signals()?;
    ready(&listener)?;
    let server = HttpServer::new(routes)
        .h1_allow_half_closed(false)
        .disable_signals()
        .workers(2)
        .listen_auto_h2c(listener)?
        .run();
    let (handle, drained) = (server.handle(), shutdown.drained(&app));
    // A server with open streams would take a second more to stop, because a worker checks for the end of its
    // connections only once per second. After the hub has ended the streams, their last bytes still have to be written.
    tokio::spawn(async move {
        drained.await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        handle.stop(true).await;
    });
    shutdown.enforce(&app, server).await
}

async fn script(sse: Sse, app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    respond(&request, app.script(sse, Some(request.query_string())))
}

async fn fetch(sse: Sse, app: web::Data<App>, request: HttpRequest, chunks: web::Payload) -> HttpResponse {
    let query = Some(request.query_string());
    if request.method() != "POST" {
        return respond(&request, app.script(sse, query));
    }
    match body::read(chunks).await {
        Ok(steps) => respond(&request, app.run(sse, query, &steps)),
        Err(refused) => respond_plain(refused),
    }
}

async fn optional(OptionalSse(sse): OptionalSse, app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    respond(&request, app.optional(sse, request.method().as_str()))
}

async fn topics(sse: Sse, app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    respond(&request, app.topics(sse, Some(request.query_string())).await)
}

async fn plain(app: web::Data<App>, request: HttpRequest, chunks: web::Payload) -> HttpResponse {
    respond_plain(match body::read(chunks).await {
        Ok(body) => app.plain(request.method().as_str(), request.path(), Some(request.query_string()), &body).await,
        Err(refused) => refused,
    })
}

fn respond(request: &HttpRequest, answer: Answer<SseResponse>) -> HttpResponse {
    let opened = match answer {
        Ok(opened) => opened,
        Err(plain) => return respond_plain(plain),
    };
    let headers = opened.headers();
    let mut response = opened.reply.respond_to(request);
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn respond_plain(plain: Plain) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::from_u16(plain.status).unwrap_or_default());
    for header in plain.headers {
        response.insert_header(header);
    }
    response.body(plain.body)
}
