//! The conformance routes behind axum's own `response::sse`, warp's own `sse` and actix-web-lab's own `sse`, each used
//! as in its documentation and without any code of this project. So the suite can judge them.

mod actix;
mod app;
mod axum;
mod warp;

use app::App;
use clap::{Parser, ValueEnum};
use std::net::TcpListener;
use std::time::Duration;

/// An unknown option exits with 2, as the contract requires.
#[derive(Debug, Parser)]
struct Options {
    #[arg(long)]
    peer: Peer,
    #[arg(long, default_value_t = 15_000)]
    keep_alive_ms: u64,
    /// The peer's version, which becomes a part of the name.
    #[arg(long, default_value = "")]
    version: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Peer {
    Axum,
    Warp,
    ActixWebLab,
}

fn main() -> std::io::Result<()> {
    let options = Options::parse();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("listening on http://{}", listener.local_addr()?);
    let name = options.peer.to_possible_value().map_or_else(String::new, |peer| peer.get_name().to_owned());
    let name = format!("{name} {}", options.version).trim_end().to_owned();
    let app = App::new(name, Duration::from_millis(options.keep_alive_ms));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match options.peer {
        Peer::Axum => runtime.block_on(axum::serve(app, listener)),
        Peer::Warp => runtime.block_on(warp::serve(app, listener)),
        Peer::ActixWebLab => actix_web::rt::System::new().block_on(actix::serve(app, listener)),
    }
}

/// SIGTERM.
#[cfg(unix)]
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    if let Ok(mut signal) = signal(SignalKind::terminate()) {
        signal.recv().await;
    }
}

#[cfg(not(unix))]
async fn stopped() {
    let _ = tokio::signal::ctrl_c().await;
}
