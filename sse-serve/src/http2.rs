//! A connection of HTTP/2: hyper serves all of it, because the streams share one socket.

use crate::io::Io;
use crate::on_hyper::prepare;
use crate::serve::ServerState;
use crate::service::TowerService;
use crate::slot::Slot;
use crate::trace;
use bytes::Bytes;
use http::{Extensions, Request};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) fn serve<T, S>(
    shared: &ServerState,
    service: S,
    extensions: Extensions,
    socket: T,
    prefix: Bytes,
) -> impl Future<Output = ()> + Send + 'static
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: TowerService,
{
    let mut stop = shared.stop();
    let io = TokioIo::new(Io::new(socket, prefix, Arc::new(Slot::<()>::new()), None));
    async move {
        let service =
            service_fn(move |request: Request<Incoming>| service.clone().answer(prepare(request, &extensions)));
        let mut builder = auto::Builder::new(TokioExecutor::new());
        // Websockets over HTTP/2 need it.
        builder.http2().enable_connect_protocol();
        let mut connection = pin!(builder.serve_connection_with_upgrades(io, service));
        let mut stops = false;
        loop {
            tokio::select! {
                result = &mut connection => {
                    if let Err(error) = result {
                        trace::connection_failed(&*error);
                    }
                    return;
                }
                () = &mut stop, if !stops => {
                    stops = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}
