//! Clients that are killed, stall and resume at random, for as long as asked. Prints holes and duplicates, which must be
//! 0, and the slope of the server's memory.

use clap::{Parser, Subcommand};
use sse_conformance::load::{Result, Server, Soak};
use sse_conformance::server::{self, Adapter, Options};
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, Parser)]
#[command(
    name = "soak",
    about = "Clients that are killed, stall and resume at random",
    args_conflicts_with_subcommands = true
)]
struct Arguments {
    #[command(subcommand)]
    serve: Option<Serve>,
    /// What the server is built on.
    #[arg(long, default_value = "axum")]
    adapter: Adapter,
    /// Clients at once.
    #[arg(long, default_value_t = 5_000)]
    clients: usize,
    /// How long.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Events in a second.
    #[arg(long, default_value_t = 100)]
    rate: u64,
}

#[derive(Debug, Subcommand)]
enum Serve {
    /// The server, as a process of its own.
    #[command(hide = true)]
    Serve(Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<bool> {
    if let Some(Serve::Serve(options)) = arguments.serve {
        server::run(options)?;
        return Ok(true);
    }
    let Arguments { adapter, clients, seconds, rate, .. } = arguments;
    let server = Server::start(&std::env::current_exe()?, &["serve", "--adapter", adapter.as_str()])?;
    let mut soak = Soak::new(clients, Duration::from_secs(seconds));
    soak.rate = rate;
    let soaked = tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(soak.run(&server))?;
    println!("{}, {clients} clients, {seconds} s\n{soaked}", adapter.as_str());
    Ok(soaked.is_clean())
}
