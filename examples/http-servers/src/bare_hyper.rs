use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use sse_core::{HttpBody, Hub, Policy, Sse, Tokio};
use std::{convert::Infallible, io};
use tokio::net::TcpListener;

async fn news(request: Request<Incoming>, hub: Hub) -> Result<Response<HttpBody<Tokio>>, Infallible> {
    Ok(match Policy::default().check(&(&request).into()) {
        Ok(accepted) => Sse::new(Tokio, accepted).subscribe(&hub, ["news"]).into_http(),
        Err(rejection) => rejection.into_http(),
    })
}

pub async fn serve(listener: TcpListener, hub: Hub) -> io::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        let hub = hub.clone();
        let service = service_fn(move |request| news(request, hub.clone()));
        let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(socket), service);
        tokio::spawn(connection);
    }
}
