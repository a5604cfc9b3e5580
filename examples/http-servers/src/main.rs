//! ```sh
//! cargo run -p http-servers -- --server poem
//! curl -N localhost:3000/news
//! ```

use clap::{Parser, ValueEnum};
use example_common::{Listen, stop_signal};
use http_servers::{bare_hyper, on_poem, on_salvo, tower_service};
use sse_core::Hub;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;

/// One feed on servers without an adapter.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,
    #[arg(long, default_value = "hyper")]
    server: Server,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Server {
    Hyper,
    Tower,
    Poem,
    Salvo,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let args = Args::parse();
    let listener = TcpListener::from_std(args.listen.bind()?)?;
    let hub = Hub::new();
    tokio::spawn(tick(hub.clone()));
    let (stop, drained) = (stop_signal()?, hub.clone());
    tokio::spawn(async move {
        stop.await;
        drained.drain(Duration::from_secs(1)).await;
        std::process::exit(0);
    });
    match args.server {
        Server::Hyper => bare_hyper::serve(listener, hub).await,
        Server::Tower => tower_service::serve(listener, hub).await,
        Server::Poem => on_poem::serve(listener, hub).await,
        Server::Salvo => on_salvo::serve(listener, hub).await,
    }
}

/// Publishes the time once per second.
async fn tick(hub: Hub) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if let Err(error) = hub.publish("news", seconds.to_string()) {
            eprintln!("http-servers: {error}");
        }
    }
}
