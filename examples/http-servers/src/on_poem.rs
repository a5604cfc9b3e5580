use poem::listener::TcpAcceptor;
use poem::web::Data;
use poem::{EndpointExt, Request, Response, Route, Server, handler};
use sse_core::{Hub, Policy, Request as SseRequest, Sse, Tokio};
use std::io;
use tokio::net::TcpListener;

#[handler]
fn news(request: &Request, Data(hub): Data<&Hub>) -> Response {
    let request = SseRequest::from_http(request.method(), request.uri(), request.headers());
    let response = match Policy::default().check(&request) {
        Ok(accepted) => Sse::new(Tokio, accepted).subscribe(hub, ["news"]).into_http(),
        Err(rejection) => rejection.into_http(),
    };
    response.into()
}

pub async fn serve(listener: TcpListener, hub: Hub) -> io::Result<()> {
    let app = Route::new().at("/news", news).data(hub);
    Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?).run(app).await
}
