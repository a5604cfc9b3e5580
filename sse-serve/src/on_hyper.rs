//! A connection on hyper, until a response leaves it.

use crate::answer::Answer;
use crate::eligible::Asked;
use crate::io::Io;
use crate::request::RequestBody;
use crate::serve::{Permit, ServerState, Stop};
use crate::service::TowerService;
use crate::slot::{Parked, Slot};
use crate::trace;
use bytes::Bytes;
use http::{Extensions, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite};

type HyperConnection<T, S> = http1::UpgradeableConnection<TokioIo<Io<T, <S as TowerService>::Body>>, Service<S>>;

/// A response whose head was sent, with the parts of its connection.
pub(crate) struct Left<T, B> {
    pub(crate) socket: T,
    /// What hyper read after the request, and then what hyper has not read.
    pub(crate) ahead: [Bytes; 2],
    pub(crate) parked: Parked<B>,
}

/// Returns a response that leaves hyper, or `None` at the end of the connection.
pub(crate) struct OnHyper<T, S: TowerService> {
    connection: Option<HyperConnection<T, S>>,
    slot: Arc<Slot<S::Body>>,
    stop: Option<Stop>,
}

impl<T, S> OnHyper<T, S>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: TowerService,
{
    pub(crate) fn new(
        shared: &Arc<ServerState>,
        service: S,
        extensions: Extensions,
        permit: Option<Permit>,
        socket: T,
        prefix: Bytes,
    ) -> Self {
        let slot = Arc::new(Slot::new());
        let io = TokioIo::new(Io::new(socket, prefix, slot.clone(), permit));
        let service = Service { service, extensions, slot: slot.clone() };
        // `pipeline_flush` must stay off: hyper would then keep a head in its write buffer while requests wait.
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(shared.header_read_timeout);
        let connection = builder.serve_connection(io, service).with_upgrades();
        Self { connection: Some(connection), slot, stop: Some(shared.stop()) }
    }
}

impl<T, S> Future for OnHyper<T, S>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: TowerService,
{
    type Output = Option<Left<T, S::Body>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(connection) = &mut this.connection else { return Poll::Ready(None) };
        if this.stop.as_mut().is_some_and(|stop| stop.as_mut().poll(cx).is_ready()) {
            this.stop = None;
            Pin::new(&mut *connection).graceful_shutdown();
        }
        if let Poll::Ready(result) = Pin::new(connection).poll(cx) {
            if let Err(error) = result {
                trace::connection_failed(&error);
            }
            this.connection = None;
            return Poll::Ready(None);
        }
        // hyper's write buffer is empty, hyper reads no body, and no other request is in the service.
        let Some(parked) = this.slot.take() else { return Poll::Pending };
        let parts = this.connection.take().and_then(http1::UpgradeableConnection::into_parts);
        Poll::Ready(parts.map(|parts| {
            let Io { socket, prefix, .. } = parts.io.into_inner();
            Left { socket, ahead: [parts.read_buf, prefix], parked }
        }))
    }
}

/// The service of hyper for one connection: the application's service, and the decision for each response.
pub(crate) struct Service<S: TowerService> {
    service: S,
    extensions: Extensions,
    slot: Arc<Slot<S::Body>>,
}

impl<S: TowerService> hyper::service::Service<Request<Incoming>> for Service<S> {
    type Response = Response<Answer<S::Body>>;
    type Error = S::Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Failure>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let asked = Asked::of(&request);
        let request = prepare(request, &self.extensions);
        let was_read = request.body().was_read();
        let (service, slot) = (self.service.clone(), self.slot.clone());
        Box::pin(async move {
            let mut response = service.answer(request).await?;
            if !asked.leaves(&mut response, was_read) {
                return Ok(response.map(|body| Answer::Whole { body }));
            }
            let keep_alive = asked.keeps_alive(&response);
            let (head, body) = response.into_parts();
            slot.park(Parked { body, keep_alive });
            Ok(Response::from_parts(head, Answer::Placeholder { slot }))
        })
    }
}

/// The request for the application's service.
pub(crate) fn prepare(request: Request<Incoming>, extensions: &Extensions) -> Request<RequestBody> {
    let mut request = request.map(RequestBody::new);
    if !extensions.is_empty() {
        request.extensions_mut().extend(extensions.clone());
    }
    request
}
