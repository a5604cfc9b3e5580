//! The handlers and the shutdown of docs/warp.md.

use futures_util::{StreamExt, stream};
use sse_warp::{Event, Hub, Policy, Sse};
use std::time::Duration;
use tokio::net::TcpListener;
use warp::filters::BoxedFilter;
use warp::{Filter, Reply, hyper::body::Bytes, path, reply::Response};

pub(crate) async fn run(listener: TcpListener, signal: impl Future<Output = ()> + Send + 'static) {
    let hub = Hub::new();
    let followed = hub.clone();
    let news = path!("news").and(sse_warp::sse(())).map(move |sse: Sse| sse.subscribe(&followed, ["news"]));
    let routes = news.or(routes(hub.clone())).map(Reply::into_response).boxed();
    serve(listener, routes, hub, signal).await;
}

fn countdown(sse: Sse) -> impl Reply {
    sse.run(async move |events| {
        for n in (0..=10).rev() {
            events.send(n.to_string()).await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    })
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

fn routes(hub: Hub) -> impl Filter<Extract = (impl Reply,), Error = warp::Rejection> + Clone {
    // Few clients that post name `text/event-stream` in `Accept`.
    let posted = Policy::fetch();
    let sse = sse_warp::sse(hub.clone());
    let countdown = path!("countdown").and(sse.clone()).map(countdown);
    let tokens = path!("tokens").and(sse).map(tokens);
    let ask = path!("ask").and(sse_warp::sse((posted, hub.clone()))).and(warp::body::bytes()).map(ask);
    let page = path::end().and(sse_warp::optional(hub)).map(page);
    countdown.or(tokens).or(ask).or(page)
}

async fn serve<S, R>(listener: TcpListener, routes: BoxedFilter<(R,)>, hub: Hub, signal: S)
where
    S: Future<Output = ()> + Send + 'static,
    R: Reply + 'static,
{
    let stop = async move {
        signal.await;
        hub.drain(Duration::from_secs(5)).await;
    };
    warp::serve(routes).incoming(listener).graceful(stop).run().await;
}
