//! One connection: one task, which waits for a request, serves it on hyper, and goes on outside of hyper if a stream leaves.
//!
//! ```text
//!            request             head of a stream flushed
//! Waiting ------------> OnHyper ---------------------------> Live
//!    ^                     |  ^                               |
//!    |                     |  |   last chunk, requests ahead  |
//!    |                     |  +-------------------------------+
//!    |                     |              last chunk          |
//!    +---------------------|----------------------------------+
//!                          v                                  |  cut, or `connection: close`
//!                        Ended <--------- Closing <-----------+
//! ```
//!
//! A connection also goes from Waiting to Closing, if no byte arrives in time or the server stops. A connection of HTTP/2 goes from
//! Waiting to Http2, and then to Ended.

use crate::closing::Closing;
use crate::live::{End, Live};
use crate::on_hyper::{Left, OnHyper};
use crate::serve::{Permit, ServerState};
use crate::service::TowerService;
use crate::trace;
use crate::waiting::{Arrived, WaitingConnection};
use bytes::Bytes;
use http::Extensions;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite};

pin_project! {
    /// The task of a connection. Small while a stream is live: a box holds the part with hyper.
    pub(crate) struct ConnectionTask<T, S: TowerService> {
        shared: Arc<ServerState>,
        service: S,
        extensions: Extensions,
        permit: Option<Permit>,
        // Whether the connection serves further requests after the live stream.
        keep_alive: bool,
        #[pin]
        phase: ConnectionPhase<T, S>,
    }
}

pin_project! {
    #[project = Projected]
    enum ConnectionPhase<T, S: TowerService> {
        Waiting { waiting: WaitingConnection<T> },
        OnHyper { hyper: Pin<Box<OnHyper<T, S>>> },
        Http2 { http2: Pin<Box<dyn Future<Output = ()> + Send>> },
        Live { #[pin] live: Live<T, S::Body> },
        Closing { closing: Closing<T> },
        Ended,
    }
}

impl<T, S> ConnectionTask<T, S>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: TowerService,
{
    pub(crate) fn new(
        shared: Arc<ServerState>,
        service: S,
        extensions: Extensions,
        permit: Option<Permit>,
        socket: T,
    ) -> Self {
        let phase = ConnectionPhase::Waiting { waiting: WaitingConnection::new(socket) };
        Self { shared, service, extensions, permit, keep_alive: true, phase }
    }
}

impl<T, S> Future for ConnectionTask<T, S>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: TowerService,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let (shared, service, extensions, permit) = (&*this.shared, &*this.service, &*this.extensions, &*this.permit);
        let start = |socket, start: Bytes| {
            let hyper = OnHyper::new(shared, service.clone(), extensions.clone(), permit.clone(), socket, start);
            ConnectionPhase::OnHyper { hyper: Box::pin(hyper) }
        };
        loop {
            let next = match this.phase.as_mut().project() {
                Projected::Waiting { waiting } => match ready!(waiting.poll(cx, shared)) {
                    None => ConnectionPhase::Ended,
                    Some(Arrived::Nothing(socket)) => ConnectionPhase::Closing { closing: Closing::new(socket, false) },
                    Some(Arrived::Http1(socket, bytes)) => start(socket, bytes),
                    #[cfg(feature = "http2")]
                    Some(Arrived::Http2(socket, bytes)) => {
                        let http2 = crate::http2::serve(shared, service.clone(), extensions.clone(), socket, bytes);
                        ConnectionPhase::Http2 { http2: Box::pin(http2) }
                    }
                },
                Projected::OnHyper { hyper } => match ready!(hyper.as_mut().poll(cx)) {
                    None => ConnectionPhase::Ended,
                    Some(Left { socket, ahead: [read, unread], parked }) => {
                        trace::stream_left_hyper();
                        *this.keep_alive = parked.keep_alive;
                        ConnectionPhase::Live { live: Live::new(socket, &[&read, &unread], parked.body) }
                    }
                },
                Projected::Http2 { http2 } => {
                    ready!(http2.as_mut().poll(cx));
                    ConnectionPhase::Ended
                }
                Projected::Live { live } => match ready!(live.poll(cx)) {
                    End::Cut => ConnectionPhase::Ended,
                    End::Complete { socket, ahead } if !*this.keep_alive || shared.is_stopping() => {
                        ConnectionPhase::Closing { closing: Closing::new(socket, !ahead.is_empty()) }
                    }
                    End::Complete { socket, ahead } if ahead.is_empty() => {
                        ConnectionPhase::Waiting { waiting: WaitingConnection::new(socket) }
                    }
                    End::Complete { socket, ahead } => start(socket, ahead),
                },
                Projected::Closing { closing } => {
                    ready!(closing.poll(cx));
                    ConnectionPhase::Ended
                }
                Projected::Ended => return Poll::Ready(()),
            };
            this.phase.set(next);
        }
    }
}
