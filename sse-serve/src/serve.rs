//! The server: its settings, the loop that accepts connections, and the end.

use crate::connection::ConnectionTask;
use crate::listener::SocketListener;
use crate::service::HttpService;
use crate::trace;
use http::Extensions;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Longer than the 60 s for which nginx keeps an unused connection, so that the proxy closes first.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(75);

/// hyper adds the timeout to the present time, which panics for a timeout of some centuries.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(365 * 86_400);

/// How long the server waits after a failed accept, for example while the process has no free file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves a service on a listener. Await the result; the server runs until its shutdown, or for ever.
///
/// The service is an axum `Router`, a `warp::service`, a [`FromHyper`](crate::FromHyper), or any other tower service of
/// requests of the crate `http` 1. Each connection has a clone of the service.
///
/// Dropping the server stops accepting. Open connections then end like in a graceful shutdown.
///
/// ```
/// use sse_axum::{Hub, feed};
/// use sse_core::{SocketLimits, apply_socket_limits};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let hub = Hub::new();
/// let app = axum::Router::new().route("/news", feed(&hub, ["news"]));
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// apply_socket_limits(&listener, &SocketLimits::default())?;
/// let address = listener.local_addr()?;
/// tokio::spawn(sse_serve::serve(listener, app).into_future());
///
/// let mut client = tokio::net::TcpStream::connect(address).await?;
/// client.write_all(b"GET /news HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
/// let mut head = [0; 15];
/// client.read_exact(&mut head).await?;
/// assert_eq!(&head, b"HTTP/1.1 200 OK");
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn serve<L: SocketListener, S: HttpService>(listener: L, service: S) -> Serve<L, S> {
    Serve {
        listener,
        service,
        shutdown: None,
        header_read_timeout: Some(HEADER_READ_TIMEOUT),
        max_connections: None,
        connect_info: None,
    }
}

/// Adds values about a connection to each of its requests.
type ConnectInfo<L> =
    Box<dyn Fn(&<L as SocketListener>::Io, &<L as SocketListener>::Addr, &mut Extensions) + Send + Sync + 'static>;

/// A server with its settings. [`serve`] creates it, and `.await` runs it.
#[must_use = "a server runs only while it is awaited"]
pub struct Serve<L: SocketListener, S> {
    listener: L,
    service: S,
    shutdown: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    header_read_timeout: Option<Duration>,
    max_connections: Option<usize>,
    connect_info: Option<ConnectInfo<L>>,
}

impl<L: SocketListener, S: HttpService> Serve<L, S> {
    /// Stops the server when the future returns: the server stops accepting, closes connections that wait for a request,
    /// and returns once the last response has ended. Never by default.
    ///
    /// Event streams do not end by themselves, so drain the hub in the future.
    ///
    /// The wait has no limit of its own. A client that has sent a part of a head has the time of
    /// [`header_read_timeout`](Self::header_read_timeout), but an upload or a response can take any time. To set a limit, stop
    /// the program some time after the signal.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn run(listener: tokio::net::TcpListener, app: axum::Router, hub: sse_axum::Hub) -> std::io::Result<()> {
    /// let stop = async move {
    ///     let _ = tokio::signal::ctrl_c().await;
    ///     hub.drain(Duration::from_secs(5)).await;
    /// };
    /// sse_serve::serve(listener, app).with_graceful_shutdown(stop).await
    /// # }
    /// ```
    pub fn with_graceful_shutdown(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        self.shutdown = Some(Box::pin(signal));
        self
    }

    /// The longest time for which a connection waits for the first byte of a request, and the longest time from this byte to
    /// the end of the request's head. The server then closes the connection without an answer. 75 s by default; `None` is
    /// no limit.
    ///
    /// A proxy keeps unused connections open. Set a longer time than the proxy has, or the proxy can send a request on a
    /// connection that the server closes. nginx has 60 s. The limit does not concern streams and bodies of requests. A limit
    /// of more than a year counts as a year.
    ///
    /// Over HTTP/2 the server sends a PING after this time without a byte of the client. The server closes the connection if
    /// the client does not answer within 20 s.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn run(listener: tokio::net::TcpListener, app: axum::Router) -> std::io::Result<()> {
    /// sse_serve::serve(listener, app).header_read_timeout(Some(Duration::from_secs(20))).await
    /// # }
    /// ```
    pub const fn header_read_timeout(mut self, limit: Option<Duration>) -> Self {
        self.header_read_timeout = limit;
        self
    }

    /// The most open connections. Streams and upgraded connections count, too. At the limit the server stops accepting until a
    /// connection ends, and new clients wait in the queue of the kernel. No limit by default: the limit is then that of the
    /// process for open files, and the server pauses 100 ms after each accept that fails. A limit of 0 counts as 1.
    ///
    /// ```no_run
    /// # async fn run(listener: tokio::net::TcpListener, app: axum::Router) -> std::io::Result<()> {
    /// sse_serve::serve(listener, app).max_connections(20_000).await
    /// # }
    /// ```
    pub const fn max_connections(mut self, limit: usize) -> Self {
        self.max_connections = Some(limit);
        self
    }

    /// Adds a value about its connection to the extensions of each request, for example axum's `ConnectInfo`. Several calls
    /// add several values. The function runs once for each connection.
    ///
    /// ```no_run
    /// use axum::extract::ConnectInfo;
    /// use std::net::SocketAddr;
    ///
    /// async fn hello(ConnectInfo(address): ConnectInfo<SocketAddr>) -> String {
    ///     format!("hello {address}")
    /// }
    ///
    /// # async fn run(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// let app = axum::Router::new().route("/", axum::routing::get(hello));
    /// sse_serve::serve(listener, app).connect_info(|_socket, address| ConnectInfo(*address)).await
    /// # }
    /// ```
    pub fn connect_info<T: Clone + Send + Sync + 'static>(
        mut self,
        info: impl Fn(&L::Io, &L::Addr) -> T + Send + Sync + 'static,
    ) -> Self {
        let earlier = self.connect_info.take();
        self.connect_info = Some(Box::new(move |socket, address, extensions| {
            if let Some(earlier) = &earlier {
                earlier(socket, address, extensions);
            }
            extensions.insert(info(socket, address));
        }));
        self
    }

    async fn run(self) {
        let Self { mut listener, service, shutdown, header_read_timeout, max_connections, connect_info } = self;
        let (stop, stopped) = watch::channel(false);
        let header_read_timeout = header_read_timeout.map(|limit| limit.min(LONGEST_TIMEOUT));
        let shared = Arc::new(ServerState { stopped, header_read_timeout });
        let mut shutdown = shutdown.unwrap_or_else(|| Box::pin(std::future::pending()));
        let mut permits = max_connections.map(Permits::new);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut shutdown => break,
                accepted = accept(&mut listener, permits.as_mut()) => accepted,
            };
            let Some((socket, address, permit)) = accepted else { continue };
            let mut extensions = Extensions::new();
            if let Some(connect_info) = &connect_info {
                connect_info(&socket, &address, &mut extensions);
            }
            tokio::spawn(ConnectionTask::new(shared.clone(), service.clone(), extensions, permit, socket));
        }
        drop(listener);
        drop(shared);
        // An error means that no connection is open.
        let _ = stop.send(true);
        // Each connection has a receiver.
        stop.closed().await;
    }
}

/// The next connection, or `None` after a failed accept and its pause.
async fn accept<L: SocketListener>(
    listener: &mut L,
    permits: Option<&mut Permits>,
) -> Option<(L::Io, L::Addr, Option<Permit>)> {
    let permit = match permits {
        None => None,
        Some(permits) => permits.next().await,
    };
    match listener.accept().await {
        Ok((socket, address)) => Some((socket, address, permit)),
        Err(error) => {
            // The client closed the connection before the server accepted it.
            if !is_of_the_client(&error) {
                trace::accept_failed(&error);
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            None
        }
    }
}

/// Held by an open connection, and by the socket of an upgraded one.
pub(crate) type Permit = Arc<OwnedSemaphorePermit>;

/// The connections that the server may still accept.
struct Permits {
    free: Arc<Semaphore>,
    is_full: bool,
}

impl Permits {
    fn new(limit: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(limit.clamp(1, Semaphore::MAX_PERMITS))), is_full: false }
    }

    /// Waits until a connection ends, if all permits are held.
    async fn next(&mut self) -> Option<Permit> {
        if let Ok(permit) = self.free.clone().try_acquire_owned() {
            self.is_full = false;
            return Some(Arc::new(permit));
        }
        // Once, and not for each client that takes the place of another one.
        if !self.is_full {
            self.is_full = true;
            trace::connections_full();
        }
        self.free.clone().acquire_owned().await.ok().map(Arc::new)
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl<L: SocketListener, S: HttpService> IntoFuture for Serve<L, S> {
    /// Never an error. The type is that of `axum::serve`.
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            self.run().await;
            Ok(())
        })
    }
}

impl<L: SocketListener, S> fmt::Debug for Serve<L, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("header_read_timeout", &self.header_read_timeout)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

/// The state that all connections of a server share.
#[derive(Debug)]
pub(crate) struct ServerState {
    /// The server waits until every receiver is dropped.
    stopped: watch::Receiver<bool>,
    pub(crate) header_read_timeout: Option<Duration>,
}

/// Returns when the server stops.
pub(crate) type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

impl ServerState {
    pub(crate) fn is_stopping(&self) -> bool {
        // The sender is dropped with the server.
        *self.stopped.borrow() || self.stopped.has_changed().is_err()
    }

    pub(crate) fn stop(&self) -> Stop {
        let mut stopped = self.stopped.clone();
        Box::pin(async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        })
    }
}
