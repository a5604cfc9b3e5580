//! The application behind `sse-warp`.

use super::app::{Answer, App};
use super::plain::Plain;
use super::shutdown::Shutdown;
use super::{body, ready};
use http::Method;
use sse_warp::{Error, Sse, SseResponse};
use std::io;
use std::net::TcpListener;
use warp::reply::Response;
use warp::{Buf, Filter, Reply};

pub(super) async fn serve(app: App, listener: TcpListener) -> io::Result<()> {
    let shared = app.clone();
    let with_app = warp::any().map(move || shared.clone());
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();

    let script =
        warp::path!("script").and(sse_warp::sse(())).and(with_app.clone()).and(query).map(
            |sse: Sse, app: App, query: String| Ok::<_, Error>(respond(app.script(sse.into_result()?, Some(&query)))),
        );
    let fetch = warp::path!("fetch")
        .and(sse_warp::sse(App::fetch_policy()))
        .and(with_app.clone())
        .and(warp::method())
        .and(query)
        .and(warp::body::stream())
        .then(fetch);
    let optional = warp::path!("optional").and(sse_warp::optional(())).and(with_app.clone()).and(warp::method()).map(
        |sse: Option<Sse>, app: App, method: Method| {
            let sse = sse.map(Sse::into_result).transpose()?;
            Ok::<_, Error>(respond(app.optional(sse, method.as_str())))
        },
    );
    let topics = warp::path!("topics").and(sse_warp::sse(app.topics_policy())).and(with_app.clone()).and(query).then(
        async |sse: Sse, app: App, query: String| {
            Ok::<_, Error>(respond(app.topics(sse.into_result()?, Some(&query)).await))
        },
    );
    let plain = with_app.and(warp::method()).and(warp::path::full()).and(query).and(warp::body::stream()).then(
        async |app: App, method: Method, path: warp::path::FullPath, query: String, chunks| {
            respond_plain(match body::read::<warp::Error>(chunks).await {
                Ok(body) => app.plain(method.as_str(), path.as_str(), Some(&query), &body).await,
                Err(refused) => refused,
            })
        },
    );
    let routes = script.or(fetch).or(optional).or(topics).or(plain);

    let shutdown = Shutdown::on_signals()?;
    ready(&listener)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let server = warp::serve(routes).incoming(listener).graceful(shutdown.drained(&app)).run();
    shutdown
        .enforce(&app, async {
            server.await;
            Ok(())
        })
        .await
}

async fn fetch(
    sse: Sse,
    app: App,
    method: Method,
    query: String,
    chunks: impl futures_util::Stream<Item = Result<impl Buf, warp::Error>>,
) -> Result<Response, Error> {
    let sse = sse.into_result()?;
    if method != Method::POST {
        return Ok(respond(app.script(sse, Some(&query))));
    }
    Ok(match body::read(chunks).await {
        Ok(steps) => respond(app.run(sse, Some(&query), &steps)),
        Err(refused) => respond_plain(refused),
    })
}

fn respond(answer: Answer<SseResponse>) -> Response {
    let opened = match answer {
        Ok(opened) => opened,
        Err(plain) => return respond_plain(plain),
    };
    let headers = opened.header_map();
    let mut response = opened.reply.into_response();
    response.headers_mut().extend(headers);
    response
}

fn respond_plain(plain: Plain) -> Response {
    http::Response::from(plain).map(Vec::from).into_response()
}
