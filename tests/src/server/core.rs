//! The application behind the core alone, on hyper: the code that an author of another server writes.

use super::app::{Answer, App};
use super::faults::{self, Faulty, fault};
use super::plain::Plain;
use super::shutdown::Shutdown;
use super::{body, ready};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyDataStream, BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use sse_core::stream::StreamFailed;
use sse_core::{EventStream, Policy, Rejection, Sse, Tokio};
use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::pin::pin;

type Body = BoxBody<Bytes, StreamFailed>;

pub(super) async fn serve(app: App, listener: TcpListener) -> io::Result<()> {
    let shutdown = Shutdown::on_signals()?;
    ready(&listener)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let drained = shutdown.drained(&app);
    let accepting = accept(app.clone(), listener, drained);
    shutdown
        .enforce(&app, async {
            accepting.await;
            Ok(())
        })
        .await
}

async fn accept(app: App, listener: tokio::net::TcpListener, drained: impl Future<Output = ()>) {
    let connections = GracefulShutdown::new();
    let mut drained = pin!(drained);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut drained => break,
        };
        let Ok((socket, _)) = accepted else {
            // Too many open files, most likely. Without a pause this would be a busy loop.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let app = app.clone();
        let service = service_fn(move |request| {
            let app = app.clone();
            async move {
                let is_http2 = request.version() == Version::HTTP_2;
                let mut response = answer(&app, request).await;
                if is_http2 && response.status().is_client_error() && fault("http2-404") {
                    *response.status_mut() = StatusCode::NOT_FOUND;
                }
                Ok::<_, Infallible>(response)
            }
        });
        let mut server = auto::Builder::new(TokioExecutor::new());
        if fault("http2-one-stream") {
            server.http2().max_concurrent_streams(1);
        }
        let server = if fault("http2-not-served") { server.http1_only() } else { server };
        let connection = server.serve_connection(TokioIo::new(socket), service).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            // A client that disconnects is no error of the server.
            let _ = connection.await;
        });
    }
    drop(listener);
    connections.shutdown().await;
}

async fn answer(app: &App, request: Request<Incoming>) -> Response<Body> {
    let (mut parts, incoming) = request.into_parts();
    faults::change(&mut parts);
    if parts.version == Version::HTTP_2 && parts.method == Method::POST && fault("http2-post-rejected") {
        return respond_plain(Plain::method_not_allowed("GET, HEAD"));
    }
    let (path, query) = (parts.uri.path(), parts.uri.query());
    let offered = |policy: Policy| policy.check(&read(&parts)).map(|admitted| Sse::new(Tokio, admitted));
    let sse = match path {
        "/script" => offered(Policy::default()),
        "/topics" => offered(app.topics_policy()),
        "/fetch" => offered(App::fetch_policy()),
        "/optional" => {
            return match Policy::default().check_optional(&read(&parts)) {
                Ok(admitted) => {
                    let sse = admitted.map(|admitted| Sse::new(Tokio, admitted));
                    respond(app.optional(sse, parts.method.as_str()))
                }
                Err(refusal) => respond_refusal(&refusal),
            };
        }
        _ => {
            return respond_plain(match body::read(BodyDataStream::new(incoming)).await {
                Ok(body) => app.plain(parts.method.as_str(), path, query, &body).await,
                Err(refused) => refused,
            });
        }
    };
    let sse = match sse {
        Ok(sse) => sse,
        Err(refusal) => return respond_refusal(&refusal),
    };
    match path {
        "/topics" => respond(app.topics(sse, query).await),
        "/fetch" if parts.method == Method::POST => match body::read(BodyDataStream::new(incoming)).await {
            Ok(steps) => respond(app.run(sse, query, &steps)),
            Err(refused) => respond_plain(refused),
        },
        _ => respond(app.script(sse, query)),
    }
}

fn read(parts: &http::request::Parts) -> sse_core::Request<'_> {
    let headers = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    sse_core::Request::new(parts.method.as_str(), parts.uri.query(), headers)
}

fn respond(answer: Answer<sse_core::Response<EventStream<Tokio>>>) -> Response<Body> {
    let opened = match answer {
        Ok(opened) => opened,
        Err(plain) => return respond_plain(plain),
    };
    let mut response = head(opened.reply.status(), opened.reply.headers());
    response.headers_mut().extend(opened.header_map());
    if fault("gzip-not-varied") {
        response.headers_mut().remove(http::header::VARY);
    }
    response.map(|()| Faulty::new(opened.reply.into_body().boxed()).boxed())
}

/// The response to HEAD has a body that is at its end from the beginning, so hyper derives no length, and HTTP/2
/// carries no data.
fn respond_refusal(refusal: &Rejection) -> Response<Body> {
    head(refusal.status(), refusal.headers())
        .map(|()| Full::from(refusal.body()).map_err(|never| match never {}).boxed())
}

fn head<'n, 'v>(status: u16, headers: impl Iterator<Item = (&'n str, &'v str)>) -> Response<()> {
    let mut head = Response::new(());
    *head.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            head.headers_mut().append(name, value);
        }
    }
    head
}

fn respond_plain(plain: Plain) -> Response<Body> {
    Response::from(plain).map(|body| Full::new(body).map_err(|never| match never {}).boxed())
}
