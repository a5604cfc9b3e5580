//! A listener whose connections and errors a test makes.

use sse_serve::SocketListener;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;

/// The listener.
pub(crate) struct Given {
    accepts: mpsc::UnboundedReceiver<io::Result<DuplexStream>>,
    accepted: Arc<AtomicUsize>,
}

/// Makes the connections and errors of a [`Given`].
#[derive(Clone)]
pub(crate) struct Giver {
    accepts: mpsc::UnboundedSender<io::Result<DuplexStream>>,
    accepted: Arc<AtomicUsize>,
}

pub(crate) fn given() -> (Giver, Given) {
    let (sender, accepts) = mpsc::unbounded_channel();
    let accepted = Arc::new(AtomicUsize::new(0));
    (Giver { accepts: sender, accepted: accepted.clone() }, Given { accepts, accepted })
}

#[allow(dead_code, reason = "each test file uses some of the methods")]
impl Giver {
    /// The client's end of a new connection. The pipe holds 64 KiB in each direction.
    pub(crate) fn connect(&self) -> DuplexStream {
        self.connect_through(1 << 16)
    }

    /// The client's end of a new connection through a pipe of this many bytes in each direction.
    pub(crate) fn connect_through(&self, bytes: usize) -> DuplexStream {
        let (client, server) = duplex(bytes);
        self.accepts.send(Ok(server)).unwrap();
        client
    }

    /// Fails one accept.
    pub(crate) fn fail(&self, error: io::Error) {
        self.accepts.send(Err(error)).unwrap();
    }

    /// The number of accepts that returned.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl SocketListener for Given {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> io::Result<(DuplexStream, ())> {
        let accepted = match self.accepts.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await,
        };
        self.accepted.fetch_add(1, Ordering::SeqCst);
        accepted.map(|socket| (socket, ()))
    }
}
