//! The listeners that this server accepts connections from.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// A source of connections. `TcpListener` and `UnixListener` of tokio are listeners.
///
/// Implement this trait for TLS inside the process, or for a socket of another kind:
///
/// ```
/// use sse_serve::SocketListener;
/// use std::{io, net::SocketAddr};
/// use tokio::net::{TcpListener, TcpStream};
///
/// struct NoDelay(TcpListener);
///
/// impl SocketListener for NoDelay {
///     type Io = TcpStream;
///     type Addr = SocketAddr;
///
///     async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
///         let (socket, address) = self.0.accept().await?;
///         socket.set_nodelay(true)?;
///         Ok((socket, address))
///     }
/// }
/// ```
pub trait SocketListener: Send + 'static {
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The address of a client.
    type Addr: Send;

    /// Returns the next connection. The server calls this method again after a connection and after an error, and may drop
    /// the future before it returns.
    ///
    /// Clients wait while this method waits. So a handshake of TLS belongs in a task of its own with a timeout, as in the crate
    /// `tls-listener`, or in the first read of `Io`. Return `ConnectionAborted` for a client whose handshake failed.
    ///
    /// # Errors
    /// The server pauses 100 ms after an error, except after an error of one client (`ConnectionAborted`,
    /// `ConnectionRefused`, `ConnectionReset`).
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, Self::Addr)>> + Send;
}

impl SocketListener for TcpListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        Self::accept(self).await
    }
}

#[cfg(unix)]
impl SocketListener for tokio::net::UnixListener {
    type Io = tokio::net::UnixStream;
    type Addr = tokio::net::unix::SocketAddr;

    async fn accept(&mut self) -> io::Result<(Self::Io, Self::Addr)> {
        Self::accept(self).await
    }
}

/// A listener of axum, for example `tls_listener::TlsListener`.
///
/// ```no_run
/// use sse_serve::AxumListener;
///
/// # async fn run(listener: impl axum::serve::Listener, app: axum::Router) -> std::io::Result<()> {
/// sse_serve::serve(AxumListener::new(listener), app).await
/// # }
/// ```
#[cfg(feature = "axum")]
#[derive(Debug)]
pub struct AxumListener<L> {
    listener: L,
}

#[cfg(feature = "axum")]
impl<L> AxumListener<L> {
    /// Wraps a listener of axum.
    ///
    /// [`AxumListener`] has an example.
    pub const fn new(listener: L) -> Self {
        Self { listener }
    }
}

#[cfg(feature = "axum")]
impl<L: axum::serve::Listener> SocketListener for AxumListener<L> {
    type Io = L::Io;
    type Addr = L::Addr;

    async fn accept(&mut self) -> io::Result<(L::Io, L::Addr)> {
        Ok(self.listener.accept().await)
    }
}
