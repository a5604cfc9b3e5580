//! Clients that are killed, stall and resume at random, for as long as asked. Prints holes and duplicates, which must be
//! 0, and the slope of the server's memory: the bytes in use, and the resident bytes, which the allocator adds to.

use clap::{Parser, Subcommand};
use sse_conformance::load::{LoadServer, Result, Soak};
use sse_conformance::server::{self, Adapter, Options};
use sse_test_support::alloc::{self, Total};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use std::{fs, thread};

#[global_allocator]
static ALLOCATOR: Total = Total;

#[derive(Debug, Parser)]
#[command(
    name = "soak",
    about = "Clients that are killed, stall and resume at random",
    args_conflicts_with_subcommands = true
)]
struct Arguments {
    #[command(subcommand)]
    serve: Option<Serve>,
    /// The adapter of the server.
    #[arg(long, default_value = "axum")]
    adapter: Adapter,
    /// The number of clients at once.
    #[arg(long, default_value_t = 5_000)]
    clients: usize,
    /// The duration in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Events per second.
    #[arg(long, default_value_t = 100)]
    rate: u64,
    /// The seconds before the slopes of the memory begin; half of the duration by default.
    #[arg(long)]
    warm_up: Option<u64>,
    /// Options of the server, after `--`: `-- --topic-bytes 262144`. Small bounds are full soon.
    #[arg(last = true, value_name = "OPTION")]
    server: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Serve {
    /// The server, as a process of its own.
    #[command(hide = true)]
    Serve {
        #[command(flatten)]
        options: Options,
        /// A file that always has the number of bytes in use.
        #[arg(long)]
        in_use: PathBuf,
    },
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
    if let Some(Serve::Serve { options, in_use }) = arguments.serve {
        thread::Builder::new().spawn(move || while write_in_use(&in_use).is_ok() {})?;
        server::run(options)?;
        return Ok(true);
    }
    let Arguments { adapter, clients, seconds, rate, warm_up, server, .. } = arguments;
    let in_use = std::env::temp_dir().join(format!("soak-{}", std::process::id()));
    let mut options = vec!["serve", "--in-use", in_use.to_str().ok_or("the path is not UTF-8")?];
    options.extend(["--adapter", adapter.as_str()]);
    options.extend(server.iter().map(String::as_str));
    let server = LoadServer::start(&std::env::current_exe()?, &options)?;
    let mut soak = Soak::new(clients, Duration::from_secs(seconds));
    (soak.rate, soak.in_use) = (rate, Some(in_use.clone()));
    soak.warm_up = warm_up.map_or(soak.warm_up, Duration::from_secs);
    let soaked = tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(soak.run(&server));
    drop(server);
    fs::remove_file(&in_use)?;
    let soaked = soaked?;
    println!("{}, {clients} clients, {seconds} s\n{soaked}", adapter.as_str());
    Ok(soaked.is_clean())
}

/// Replaces the file, so that no reader finds half a number.
fn write_in_use(file: &Path) -> std::io::Result<()> {
    let next = file.with_extension("next");
    fs::write(&next, alloc::total().to_string())?;
    fs::rename(&next, file)?;
    thread::sleep(Duration::from_millis(200));
    Ok(())
}
