//! Many clients at once against one server. `stalled`: clients that do not read beside clients that do. `churn`:
//! streams that open and close. Prints the measurements, and fails if an event was lost or a stream was left over.

use clap::{Parser, Subcommand};
use sse_conformance::load::{Churn, LoadServer, Result, Stalled};
use sse_conformance::server::{self, Adapter, Options};
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, Parser)]
#[command(name = "crowd", about = "Puts many clients on one server")]
struct Arguments {
    #[command(subcommand)]
    crowd: Crowd,
}

#[derive(Debug, Subcommand)]
enum Crowd {
    /// Clients that stall beside clients that do not.
    Stalled {
        #[arg(long, default_value = "axum")]
        adapter: Adapter,
        #[arg(long, default_value_t = 1_000)]
        stalled: usize,
        #[arg(long, default_value_t = 100)]
        healthy: usize,
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Streams that open and close, and at the end a drain of all open streams.
    Churn {
        #[arg(long, default_value = "axum")]
        adapter: Adapter,
        #[arg(long, default_value_t = 5_000)]
        clients: usize,
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// The server, as a process of its own.
    #[command(hide = true)]
    Serve(Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse().crowd) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crowd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(crowd: Crowd) -> Result<bool> {
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    // The stalled clients must stay connected for the whole run.
    let start = |adapter: Adapter| {
        let arguments = ["serve", "--adapter", adapter.as_str(), "--user-timeout-ms", "600000"];
        LoadServer::start(&std::env::current_exe()?, &arguments)
    };
    match crowd {
        Crowd::Serve(options) => {
            server::run(options)?;
            Ok(true)
        }
        Crowd::Stalled { adapter, stalled, healthy, seconds } => {
            let crowd = Stalled::new(stalled, healthy, Duration::from_secs(seconds));
            let report = runtime()?.block_on(crowd.run(&start(adapter)?))?;
            println!("{}, {stalled} stalled and {healthy} healthy, {seconds} s: {report}", adapter.as_str());
            Ok(report.lost() == 0)
        }
        Crowd::Churn { adapter, clients, rounds } => {
            let report = runtime()?.block_on(Churn::new(clients, rounds).run(start(adapter)?))?;
            println!("{}, {rounds} times {clients} clients: {report}", adapter.as_str());
            Ok(report.is_clean())
        }
    }
}
