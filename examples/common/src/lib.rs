//! The common parts of all examples: the listening address, the stop signal, and the script and the style of the pages.

use sse_core::{SocketLimits, apply_socket_limits};
use std::future::Future;
use std::io::{self, Write};
use std::net::TcpListener;

/// The option `--listen` of every example.
#[derive(Debug, Clone, clap::Args)]
pub struct Listen {
    /// The address to listen on; port 0 takes a free one
    #[arg(long = "listen", value_name = "ADDR", default_value = "127.0.0.1:3000")]
    address: String,
}

impl Listen {
    /// Listens with [`SocketLimits`] and prints `listening on http://ADDRESS`.
    ///
    /// # Errors
    /// The system rejects the address.
    pub fn bind(&self) -> io::Result<TcpListener> {
        self.bind_for("http")
    }

    /// Listens as [`bind`](Self::bind) does, and prints an address with this scheme.
    ///
    /// # Errors
    /// The system rejects the address.
    pub fn bind_for(&self, scheme: &str) -> io::Result<TcpListener> {
        let listener = TcpListener::bind(&self.address)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {}: {error}", self.address)))?;
        listener.set_nonblocking(true)?;
        apply_socket_limits(&listener, &SocketLimits::default())?;
        // A closed standard output must not stop the server.
        let _ = writeln!(io::stdout(), "listening on {scheme}://{}", listener.local_addr()?);
        Ok(listener)
    }
}

/// Waits for SIGTERM or ctrl-c, from this call on.
///
/// # Errors
/// The system installs no signal handler.
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

/// Waits for ctrl-c.
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

/// Returns the page with the shared style and script in place of its references to them, so that a browser loads one file.
/// Call this once for each page, because the text stays in memory until the process ends.
pub fn page(html: &str) -> &'static str {
    html.replace(
        r#"<link rel="stylesheet" href="../common/page.css">"#,
        concat!("<style>\n", include_str!("../page.css"), "</style>"),
    )
    .replace(
        r#"<script src="../common/client.js"></script>"#,
        concat!("<script>\n", include_str!("../client.js"), "</script>"),
    )
    .leak()
}
