//! Three nodes and one engine: kill a node or the engine, and watch the clients resume.
//!
//! ```sh
//! cargo run -p sse-examples --bin cluster
//! ```
//!
//! Each node serves the same page on a port of its own. The page follows one node and, when that goes, the next; its
//! buttons stop and start the nodes and the engine. The engine is a `redis-server` on a free port, in a temporary
//! folder, which this program starts and ends; `--redis URL` takes one that is there already, and leaves it alone.

mod engine;
mod node;

use clap::Parser;
use engine::Engine;
use node::{Cluster, Node};
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Three nodes and one engine.
#[derive(Debug, Parser)]
struct Args {
    /// An engine that runs already
    #[arg(long, value_name = "URL")]
    redis: Option<String>,

    /// The port of the first node; the others follow it
    #[arg(long, default_value_t = 3001)]
    port: u16,
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
    let engine = match args.redis {
        Some(url) => Engine::given(url),
        None => Engine::start()?,
    };
    let ports = (0..3).map(|n| {
        let port = args.port.checked_add(n);
        port.ok_or_else(|| io::Error::other(format!("no three ports from {} on", args.port)))
    });
    let nodes = ports.map(|port| port.map(Node::new)).collect::<io::Result<Vec<_>>>()?;
    let cluster = Arc::new(Cluster { engine, nodes });
    for which in 0..cluster.nodes.len() {
        cluster.clone().start(which)?;
    }
    let ticking = cluster.clone();
    tokio::spawn(async move {
        for number in 1_u64.. {
            tokio::time::sleep(Duration::from_secs(1)).await;
            ticking.publish(&format!("tick {number}")).await;
        }
    });
    for node in &cluster.nodes {
        println!("http://127.0.0.1:{}", node.port);
    }
    tokio::signal::ctrl_c().await?;
    cluster.engine.stop();
    Ok(())
}
