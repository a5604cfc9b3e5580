//! What every example does and none is about: where it listens, and when it is told to stop.

use sse_core::{SocketLimits, bound_sockets};
use std::future::Future;
use std::io::{self, Write};
use std::net::TcpListener;

/// The one option of every example.
#[derive(Debug, Clone, clap::Args)]
pub struct Listen {
    /// The address to listen on; port 0 takes a free one
    #[arg(long = "listen", value_name = "ADDR", default_value = "127.0.0.1:3000")]
    address: String,
}

impl Listen {
    /// Listens, with bounds on what lies beneath each body, and prints `listening on http://ADDRESS`.
    ///
    /// # Errors
    /// The address is not to be had.
    pub fn bind(&self) -> io::Result<TcpListener> {
        let listener = TcpListener::bind(&self.address)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {}: {error}", self.address)))?;
        listener.set_nonblocking(true)?;
        bound_sockets(&listener, &SocketLimits::default())?;
        // Whoever started this may have closed its standard output; that is no reason to stop.
        let _ = writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?);
        Ok(listener)
    }
}

/// SIGTERM or ctrl-c, listened for from this call on.
///
/// # Errors
/// The system does not let it listen.
#[cfg(unix)]
pub fn stop_signal() -> io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Ctrl-c.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn stop_signal() -> io::Result<impl Future<Output = ()> + Send> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// The code in the documents, compiled and run by `cargo test -p sse-examples --doc`.
#[cfg(doctest)]
mod documents {
    macro_rules! documents {
        ($($name:ident $file:literal)*) => {$(#[doc = include_str!($file)] struct $name;)*};
    }

    documents! {
        Readme "../../README.md"
        Authentication "../../docs/authentication.md"
        Cancelling "../../docs/cancelling.md"
        Compression "../../docs/compression.md"
        Cors "../../docs/cors.md"
        Deploys "../../docs/deploys.md"
        ManyConnections "../../docs/many-connections.md"
        Migrating "../../docs/migrating.md"
        Post "../../docs/post.md"
        Snapshots "../../docs/snapshots.md"
        Testing "../../docs/testing.md"
    }
}
