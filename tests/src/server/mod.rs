//! The conformance server: one application behind each adapter.

mod actix;
mod app;
mod axum;
mod body;
mod core;
mod decode;
mod log;
mod offer;
mod options;
mod plain;
mod publish;
mod shutdown;
mod steps;
mod streams;
mod warp;

use app::App;
pub use options::{Adapter, Lag, Options};
use std::io::{self, Write};
use std::net::TcpListener;

/// Why a server did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option that this server does not have.
    #[error("not offered")]
    NotOffered,
    /// The system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Runs a server until it is told to stop by SIGTERM or SIGINT. It prints where it listens once it does.
///
/// # Errors
/// [`Error::NotOffered`], and whatever the system says to listening.
pub fn run(options: Options) -> Result<(), Error> {
    if !options.is_offered() {
        return Err(Error::NotOffered);
    }
    let adapter = options.adapter;
    let listener = TcpListener::bind(options.listen)?;
    listener.set_nonblocking(true)?;
    // A reader that stalls is ended by its socket; and without `no_delay` an event may wait 40 ms for the client to
    // acknowledge the one before.
    if let Some(limits) = options.socket_limits() {
        sse_core::apply_socket_limits(&listener, &limits)?;
    }
    match adapter {
        // Its workers are runtimes of their own.
        Adapter::Actix => {
            actix_web::rt::System::new().block_on(async { actix::serve(App::start(options).await?, listener).await })?
        }
        _ => tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
            let app = App::start(options).await?;
            match adapter {
                Adapter::Axum => axum::serve(app, listener).await,
                Adapter::Warp => warp::serve(app, listener).await,
                _ => core::serve(app, listener).await,
            }
        })?,
    }
    Ok(())
}

/// The one line on standard output.
fn ready(listener: &TcpListener) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "listening on http://{}", listener.local_addr()?)?;
    out.flush()
}
