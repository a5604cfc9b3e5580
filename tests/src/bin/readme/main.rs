//! The handlers and the shutdown of docs/axum.md, docs/actix.md and docs/warp.md, as a program: `readme axum|actix|warp`.
//! `tests/readme.rs` compares the code with the documents.

mod actix;
mod axum;
mod warp;

use std::io::{self, Write};
use std::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> io::Result<()> {
    let framework = std::env::args().nth(1).unwrap_or_default();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    actix_web::rt::System::new().block_on(async {
        let mut terminated = signal(SignalKind::terminate())?;
        let signal = async move {
            terminated.recv().await;
        };
        writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
        match &*framework {
            "actix" => actix::run(listener, signal).await,
            "warp" => {
                warp::run(tokio::net::TcpListener::from_std(listener)?, signal).await;
                Ok(())
            }
            _ => axum::run(tokio::net::TcpListener::from_std(listener)?, signal).await,
        }
    })
}
