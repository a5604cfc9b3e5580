//! Three nodes and one engine: kill a node or the engine, and watch the clients resume.
//!
//! ```sh
//! cargo run -p cluster
//! ```
//!
//! Each node serves the same page on a port of its own. The page follows one node and, when that goes, the next; its
//! buttons kill and start the nodes and the engine, and it counts what is missing or comes twice. The engine is a
//! `redis-server` on a free port, in a temporary folder, which this program starts and ends; `--redis URL` takes one that
//! is there already, and leaves it alone.

mod cluster;
mod engine;
mod node;

use clap::Parser;
use cluster::Cluster;
use engine::Engine;
use example_common::stop_signal;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

/// Three nodes and one engine.
#[derive(Debug, Parser)]
struct Args {
    /// An engine that runs already
    #[arg(long, value_name = "URL")]
    redis: Option<String>,

    /// Where the first node listens; the others take the ports after it, or free ones after port 0
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cluster: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> io::Result<()> {
    let stop = stop_signal()?;
    let engine = match args.redis {
        Some(url) => Engine::given(url),
        None => Engine::start()?,
    };
    let cluster = Cluster::start(engine, args.listen)?;
    for node in &cluster.nodes {
        // Whoever started this may have closed its standard output; that is no reason to stop.
        let _ = writeln!(io::stdout(), "listening on http://{}", node.address);
    }
    tokio::select! {
        () = stop => {}
        () = cluster.count() => {}
    }
    cluster.stop().await;
    Ok(())
}
