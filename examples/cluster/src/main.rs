//! Three nodes and one Redis server: kill a node or the Redis server, and watch the clients resume.
//!
//! ```sh
//! cargo run -p cluster
//! ```
//!
//! Each node serves the same page on a port of its own. The page follows one node, and the next one when that node ends. Buttons
//! kill and start the nodes and the Redis server, and the page counts missing and repeated numbers. This program starts and ends
//! `redis-server` on a free port, in a temporary folder. With `--redis URL` the cluster uses a server that runs already.

mod cluster;
mod node;
mod redis_server;

use clap::Parser;
use cluster::Cluster;
use example_common::stop_signal;
use redis_server::RedisServer;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

/// Three nodes and one Redis server.
#[derive(Debug, Parser)]
struct Args {
    /// A Redis server that runs already
    #[arg(long, value_name = "URL")]
    redis: Option<String>,

    /// The address of the first node; the others take the next two ports, or free ones with port 0
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
    let redis_server = match args.redis {
        Some(url) => RedisServer::given(url),
        None => RedisServer::start()?,
    };
    let cluster = Cluster::start(redis_server, args.listen)?;
    for node in &cluster.nodes {
        // A closed standard output must not stop the server.
        let _ = writeln!(io::stdout(), "listening on http://{}", node.address);
    }
    tokio::select! {
        () = stop => {}
        () = cluster.count() => {}
    }
    cluster.stop().await;
    Ok(())
}
