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
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// The longest time for which a client may leave a PING without an answer.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

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
    let (mut stop, silence) = (shared.stop(), shared.header_read_timeout);
    let io = TokioIo::new(Io::new(socket, prefix, Arc::new(Slot::<()>::new()), None));
    async move {
        let service =
            service_fn(move |request: Request<Incoming>| service.clone().answer(prepare(request, &extensions)));
        let mut builder = http2::Builder::new(TokioExecutor::new());
        // Websockets over HTTP/2 need it.
        builder.enable_connect_protocol();
        // The end of a graceful shutdown is a PING, too. A client that never answers would hold its connection for ever.
        builder.timer(TokioTimer::new()).keep_alive_interval(silence).keep_alive_timeout(PING_TIMEOUT);
        let mut connection = pin!(builder.serve_connection(io, service));
        let mut stops = false;
        loop {
            tokio::select! {
                result = &mut connection => {
                    if let Err(error) = result {
                        trace::connection_failed(&error);
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
