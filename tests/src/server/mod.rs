//! The conformance server: one application behind each adapter.

mod actix;
mod app;
mod axum;
mod body;
mod core;
mod decode;
mod ended_topics;
mod faults;
mod log;
mod offer;
mod options;
mod plain;
mod publish;
mod shutdown;
mod state;
mod steps;
mod streams;
mod warp;

use app::App;
pub use faults::FAULTS;
pub use options::{Adapter, Lag, Options};
use std::io::{self, Write};
use std::net::TcpListener;

/// Why the server did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This server does not have an option.
    #[error("not offered")]
    NotOffered,
    /// A system call failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Runs a server until SIGTERM or SIGINT. Prints the address once the server listens.
///
/// # Errors
/// [`Error::NotOffered`], or the error of a system call.
pub fn run(options: Options) -> Result<(), Error> {
    if !options.is_offered() {
        return Err(Error::NotOffered);
    }
    let adapter = options.adapter;
    let listener = TcpListener::bind(options.listen)?;
    listener.set_nonblocking(true)?;
    // The socket ends a client that stalls. Without `no_delay` an event can wait 40 ms for the acknowledgement of the
    // event before.
    if let Some(limits) = options.socket_limits() {
        sse_core::apply_socket_limits(&listener, &limits)?;
    }
    match adapter {
        // actix-web's workers have runtimes of their own.
        Adapter::Actix => {
            actix_web::rt::System::new().block_on(async { actix::serve(App::start(options).await?, listener).await })?
        }
        _ => tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
            let app = App::start(options).await?;
            match adapter {
                Adapter::Axum => axum::serve(app, listener).await,
                Adapter::Serve => axum::serve_outside_hyper(app, listener).await,
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
