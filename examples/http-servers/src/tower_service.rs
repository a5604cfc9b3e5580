use http::{Request, Response};
use hyper_util::{rt::TokioExecutor, rt::TokioIo, server::conn::auto, service::TowerToHyperService};
use sse_core::{HttpBody, Hub, Policy, Rejection, Sse, Tokio};
use std::{convert::Infallible, future::ready, io};
use tokio::net::TcpListener;
use tower::{Service, service_fn};

pub fn news<B>(
    hub: Hub,
) -> impl Service<Request<B>, Response = Response<HttpBody<Tokio>>, Error = Infallible, Future: Send> + Clone {
    service_fn(move |request: Request<B>| {
        let accepted = Policy::default().check(&(&request).into());
        let subscribe = |accepted| Sse::new(Tokio, accepted).subscribe(&hub, ["news"]).into_http();
        ready(Ok(accepted.map_or_else(Rejection::into_http, subscribe)))
    })
}

pub async fn serve(listener: TcpListener, hub: Hub) -> io::Result<()> {
    let service = TowerToHyperService::new(news(hub));
    loop {
        let (socket, service) = (TokioIo::new(listener.accept().await?.0), service.clone());
        tokio::spawn(async move { auto::Builder::new(TokioExecutor::new()).serve_connection(socket, service).await });
    }
}
