//! One router, on `axum::serve` and on this server: with a socket that takes one byte at every other write and with a plain
//! one, on one worker thread and on two.

use crate::routes::routes;
use sse_axum::Hub;
use sse_serve::SocketListener;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) at: SocketAddr,
    pub(crate) hub: Hub,
    /// Whether the socket takes one byte at every other write.
    pub(crate) drips: bool,
}

pub(crate) static AXUM: LazyLock<Server> = LazyLock::new(|| start("axum::serve", Kind::Axum, 2));

pub(crate) static SERVERS: LazyLock<[Server; 4]> = LazyLock::new(|| {
    [
        start("2 workers", Kind::Plain, 2),
        start("1 worker", Kind::Plain, 1),
        start("2 workers, drip", Kind::Drip, 2),
        start("1 worker, drip", Kind::Drip, 1),
    ]
});

#[derive(PartialEq, Clone, Copy)]
enum Kind {
    Axum,
    Plain,
    Drip,
}

fn start(name: &'static str, kind: Kind, workers: usize) -> Server {
    let hub = Hub::new();
    let app = routes(hub.clone());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            match kind {
                Kind::Axum => axum::serve(listener, app).await,
                Kind::Plain => sse_serve::serve(listener, app).await,
                Kind::Drip => sse_serve::serve(Dripping(listener), app).await,
            }
        })
    });
    Server { name, at, hub, drips: kind == Kind::Drip }
}

struct Dripping(TcpListener);

impl SocketListener for Dripping {
    type Io = Drip;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(Drip, SocketAddr)> {
        let (socket, address) = self.0.accept().await?;
        socket.set_nodelay(true)?;
        Ok((Drip { socket, waits: false }, address))
    }
}

/// Takes one byte at every other write.
pub(crate) struct Drip {
    socket: TcpStream,
    waits: bool,
}

impl AsyncRead for Drip {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Drip {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.waits = !self.waits;
        if self.waits {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.socket).poll_write(cx, &bytes[..bytes.len().min(1)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
