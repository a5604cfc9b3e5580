//! The README's handlers and shutdown on warp.

use super::WINDOW;
use futures_util::{StreamExt, stream};
use sse_warp::{AcceptMode, Event, Hub, Policy, Refused, Sse};
use std::time::Duration;
use tokio::net::TcpListener;
use warp::filters::BoxedFilter;
use warp::{Filter, Reply, hyper::body::Bytes, reply::Response};

pub(crate) async fn serve(listener: TcpListener, signal: impl Future + Send + 'static) {
    let hub = Hub::new();
    let followed = hub.clone();
    let news = warp::path("news")
        .and(sse_warp::offered())
        .map(move |sse: Result<Sse, Refused>| sse.map(|sse| sse.subscribe(&followed, ["news"])));
    // A client that posts seldom names the type in `Accept`.
    let posted = Policy::default().methods(["POST"]).accept(AcceptMode::Any);
    let offered = |path: &'static str| warp::path(path).and(sse_warp::offered_with(hub.clone()));
    let routes = offered("countdown")
        .map(|sse: Result<Sse, Refused>| sse.map(countdown))
        .or(offered("tokens").map(|sse: Result<Sse, Refused>| sse.map(tokens)))
        .or(warp::path("ask")
            .and(sse_warp::offered_with((posted, hub.clone())))
            .and(warp::body::bytes())
            .map(|sse: Result<Sse, Refused>, question| sse.map(|sse| ask(sse, question))))
        .or(sse_warp::optional_with(hub.clone()).map(|sse: Result<Option<Sse>, Refused>| sse.map(page)));
    let routes = news.or(routes).map(Reply::into_response).boxed();
    on_warp(listener, routes, hub, signal).await;
}

fn countdown(sse: Sse) -> impl Reply {
    let (events, response) = sse.channel();
    tokio::spawn(async move {
        for n in (0..=10).rev() {
            if events.send(n.to_string()).await.is_err() {
                return; // the reader left
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        events.finish();
    });
    response
}

fn tokens(sse: Sse) -> impl Reply {
    let model = stream::iter(["To", "ken", "s"]);
    sse.stream(model.map(|token| Event::json(&token)))
}

fn page(sse: Option<Sse>) -> Response {
    match sse {
        Some(sse) => sse.stream(stream::iter(["hello"])).into_response(),
        None => warp::reply::html("<script>new EventSource(location)</script>").into_response(),
    }
}

fn ask(sse: Sse, question: Bytes) -> impl Reply {
    let question = String::from_utf8_lossy(&question).into_owned();
    sse.stream(stream::iter([question, "42".into()]))
}

async fn on_warp<S, R>(listener: TcpListener, routes: BoxedFilter<(R,)>, hub: Hub, signal: S)
where
    S: Future + Send + 'static,
    R: Reply + 'static,
{
    let stop = async move {
        signal.await;
        hub.drain(WINDOW).await;
    };
    warp::serve(routes).incoming(listener).graceful(stop).run().await;
}
