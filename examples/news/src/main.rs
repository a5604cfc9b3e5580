//! A live news feed: headlines from standard input, from a file and from a form, in every browser that has the page open.
//!
//! ```sh
//! ping localhost | cargo run -p news
//! cargo run -p news -- --follow /var/log/syslog
//! cargo run -p news --features actix,warp -- --framework actix
//! ```
//!
//! To copy: `serve/`, one short file for each framework, and [`feed`].

mod feed;
mod follow;
mod lines;
mod posted;
mod serve;
mod stop;

use clap::{Parser, ValueEnum};
use example_common::Listen;
use feed::Feed;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::{io, thread};

/// A live news feed in the browser, over Server-Sent Events.
///
/// Each line piped to standard input is a headline, and so is each line of the file to follow and each one posted with
/// the form on the page.
#[derive(Debug, Parser)]
struct Args {
    /// The framework that serves the feed; `--features actix,warp` before `--` adds the other two
    #[arg(long, value_enum, default_value_t = Framework::Axum)]
    framework: Framework,

    #[command(flatten)]
    listen: Listen,

    /// Serves HTTP/2 over TLS, with a self-signed certificate, on axum; needs `--features http2` before `--`
    #[cfg(feature = "http2")]
    #[arg(long, conflicts_with = "framework")]
    http2: bool,

    /// Keeps less memory for each open page, on axum over the server `sse-serve`; needs `--features serve` before `--`
    #[cfg(feature = "serve")]
    #[arg(long, conflicts_with = "framework")]
    #[cfg_attr(feature = "http2", arg(conflicts_with = "http2"))]
    serve: bool,

    /// A file whose new lines are headlines, followed as `tail -F` does
    #[arg(long, value_name = "FILE")]
    follow: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Framework {
    Axum,
    #[cfg(feature = "actix")]
    Actix,
    #[cfg(feature = "warp")]
    Warp,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("news: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> io::Result<()> {
    #[cfg(feature = "http2")]
    let scheme = if args.http2 { "https" } else { "http" };
    #[cfg(not(feature = "http2"))]
    let scheme = "http";
    let listener = args.listen.bind_for(scheme)?;
    let feed = Feed::new();
    let (stop, late) = stop::on_signal(feed.clone())?;
    tokio::spawn(feed.clone().count_readers());
    read_inputs(args, &feed)?;

    let server = async {
        match args.framework {
            #[cfg(feature = "http2")]
            Framework::Axum if args.http2 => serve::axum::serve_http2(listener, feed, stop).await,
            #[cfg(feature = "serve")]
            Framework::Axum if args.serve => serve::axum::serve_outside_hyper(listener, feed, stop).await,
            Framework::Axum => serve::axum::serve(listener, feed, stop).await,
            #[cfg(feature = "actix")]
            Framework::Actix => serve::actix::serve(listener, feed, stop).await,
            #[cfg(feature = "warp")]
            Framework::Warp => serve::warp::serve(listener, feed, stop).await,
        }
    };
    tokio::select! {
        served = server => served,
        // A client that reads nothing keeps its connection open, and every framework's graceful shutdown waits for it.
        () = late => Ok(()),
    }
}

/// Starts a thread for each input, because reading a file or a terminal blocks. The threads end with the process.
fn read_inputs(args: &Args, feed: &Feed) -> io::Result<()> {
    if let Some(path) = args.follow.clone() {
        let feed = feed.clone();
        thread::Builder::new()
            .name("follow".into())
            .spawn(move || follow::follow(&path, &mut |line| feed.headline(line)))?;
    }
    if !io::stdin().is_terminal() {
        let feed = feed.clone();
        thread::Builder::new().name("stdin".into()).spawn(move || read_stdin(&feed))?;
    }
    Ok(())
}

/// Publishes each line of standard input. The end of the input does not end the server.
fn read_stdin(feed: &Feed) {
    let mut stdin = io::stdin().lock();
    let mut lines = lines::Lines::default();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match stdin.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => lines.push(&chunk[..n], &mut |line| feed.headline(line)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                eprintln!("news: standard input: {error}");
                break;
            }
        }
    }
    lines.end(&mut |line| feed.headline(line));
}
