use salvo::affix_state;
use salvo::conn::tcp::TcpAcceptor;
use salvo::http::ResBody;
use salvo::prelude::{Depot, Request, Response, Router, Server, handler};
use sse_core::{Hub, Policy, Request as SseRequest, Sse, Tokio};
use std::io;
use tokio::net::TcpListener;

#[handler]
async fn news(request: &mut Request, depot: &mut Depot, response: &mut Response) {
    let Ok(hub) = depot.obtain::<Hub>() else { return };
    let request = SseRequest::from_http(request.method(), request.uri(), request.headers());
    let answer = match Policy::default().check(&request) {
        Ok(accepted) => Sse::new(Tokio, accepted).subscribe(hub, ["news"]).into_http(),
        Err(rejection) => rejection.into_http(),
    };
    *response = answer.map(ResBody::stream).into();
}

pub async fn serve(listener: TcpListener, hub: Hub) -> io::Result<()> {
    let router = Router::with_path("news").hoop(affix_state::inject(hub)).goal(news);
    Server::new(TcpAcceptor::try_from(listener)?).try_serve(router).await
}
