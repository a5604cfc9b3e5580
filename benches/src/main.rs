//! The measured claims: this stack and its peers, side by side in one run.
//!
//! `all` writes the tables and the picture into `docs/`; every other command prints its own tables.

mod decode;
mod encode;
mod fanout;
mod hub;
mod measure;
mod nodes;
mod report;
mod shapes;
mod still;

use clap::{Parser, Subcommand, ValueEnum};
use fanout::{Kind, Load, Outcome};
use measure::{Case, Figure};
use report::Server;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

#[derive(Parser)]
#[command(about)]
struct Args {
    /// A recorded stream to decode too: one event's data a line.
    #[arg(long, global = true)]
    recording: Option<PathBuf>,
    /// How many interleaved rounds each median in ns is of.
    #[arg(long, global = true, default_value_t = 51)]
    rounds: usize,
    /// How many interleaved rounds each median of the fan-out is of.
    #[arg(long, global = true, default_value_t = 3)]
    runs: usize,
    /// Counts instructions too, under valgrind.
    #[arg(long, global = true)]
    count: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Everything, into `docs/benchmarks.md` and `docs/benchmarks.svg`.
    All,
    /// From fields in hand to bytes in a buffer.
    Encode,
    /// From chunks to events.
    Decode,
    /// The hub alone.
    Hub,
    /// Over real sockets.
    Fanout {
        /// Only these servers.
        #[arg(long, value_enum)]
        only: Vec<Kind>,
    },
    /// Two nodes over a `redis-server` of its own.
    Nodes,
    /// A replay storm, in a process of its own.
    #[command(hide = true)]
    Storm { streams: usize },
    /// A server of the fan-out.
    #[command(hide = true)]
    Serve { kind: Kind },
    /// The load client of the fan-out.
    #[command(hide = true)]
    Load { port: u16, streams: usize, events: usize },
    /// One case so many times, for callgrind.
    #[command(hide = true)]
    Repeat { group: String, name: String, times: usize },
}

const BURST: Load = Load { streams: 1_000, events: 2_000, bytes: 100, every: None };
const PACED: Load = Load { streams: 2_000, events: 100, bytes: 100, every: Some(Duration::from_millis(40)) };

fn main() -> io::Result<()> {
    let args = Args::parse();
    let recording = args.recording.as_deref();
    match &args.what {
        What::Serve { kind } => fanout::serve(*kind),
        What::Load { port, streams, events } => fanout::load(*port, *streams, *events),
        What::Storm { streams } => hub::storm(*streams).map(|storm| println!("{storm}")),
        What::Repeat { group, name, times } => {
            measure::repeat(cases(group, recording)?, name, *times);
            Ok(())
        }
        What::Encode => print(|out| report::figures(out, &measured("encode", &args)?)),
        What::Decode => print(|out| report::figures(out, &measured("decode", &args)?)),
        What::Hub => print(|out| hub_tables(out, &measured("hub", &args)?)),
        What::Fanout { only } => print(|out| report::fanout(out, &servers(only, &args)?)),
        What::Nodes => print(|out| report::nodes(out, nodes::run(args.runs)?.as_ref())),
        What::All => all(&args),
    }
}

fn print(tables: impl FnOnce(&mut String) -> io::Result<()>) -> io::Result<()> {
    let mut out = String::new();
    tables(&mut out)?;
    println!("{out}");
    Ok(())
}

fn cases(group: &str, recording: Option<&Path>) -> io::Result<Vec<Case>> {
    match group {
        "encode" => Ok(encode::cases()),
        "decode" => decode::cases(recording),
        "hub" => Ok(hub::cases()),
        _ => Err(io::Error::other(format!("no group {group}"))),
    }
}

fn measured(group: &str, args: &Args) -> io::Result<Vec<Figure>> {
    let cases = cases(group, args.recording.as_deref())?;
    let events = measure::events(&cases);
    let mut figures = measure::race(cases, args.rounds);
    if args.count {
        let recording = args.recording.iter().flat_map(|path| ["--recording".into(), path.display().to_string()]);
        measure::count(&mut figures, &events, group, &recording.collect::<Vec<_>>())?;
    }
    Ok(figures)
}

fn hub_tables(out: &mut String, figures: &[Figure]) -> io::Result<()> {
    report::figures(out, figures)?;
    let storm = Command::new(std::env::current_exe()?).args(["storm", "5000"]).output()?;
    report::hub(out, &hub::threads(), String::from_utf8_lossy(&storm.stdout).trim())
}

/// Each server once a round, so that what else the machine does meets all of them.
fn servers(only: &[Kind], args: &Args) -> io::Result<Vec<Server>> {
    let kinds = if only.is_empty() { Kind::value_variants() } else { only };
    let mut runs: Vec<(Vec<Outcome>, Vec<Outcome>)> = vec![(Vec::new(), Vec::new()); kinds.len()];
    for round in 1..=args.runs.max(1) {
        for (kind, (bursts, paced)) in kinds.iter().zip(&mut runs) {
            // A floor yields the latest chunk alone, which in a burst is not every event.
            if !kind.is_floor() {
                bursts.push(fanout::run(*kind, &BURST)?);
            }
            paced.push(fanout::run(*kind, &PACED)?);
            eprintln!("round {round}: {}", kind.title());
        }
    }
    let server = |(kind, (bursts, paced)): (&Kind, (Vec<Outcome>, Vec<Outcome>))| {
        let burst = (!bursts.is_empty()).then(|| Outcome::median(&bursts));
        Ok(Server { kind: *kind, burst, paced: Outcome::median(&paced), idle: fanout::idle(*kind)? })
    };
    kinds.iter().zip(runs).map(server).collect()
}

const INTRODUCTION: &str = "# Benchmarks

Written by `cargo run --release --manifest-path benches/Cargo.toml -- all`, which measures everything in one run. The
machine had two cores and was **shared with other work** meanwhile, so read the ratios, not the times: contenders take
turns, times are CPU time of the thread in medians of interleaved rounds, and the fan-out counts the server's CPU time.
";

fn all(args: &Args) -> io::Result<()> {
    let (encode, decode, hub) = (measured("encode", args)?, measured("decode", args)?, measured("hub", args)?);
    let servers = servers(&[], args)?;
    let nodes = nodes::run(args.runs)?;
    let (rounds, runs) = (args.rounds, args.runs);
    let mut out = format!("{INTRODUCTION}\nRounds in ns: {rounds}. Runs of each server in the fan-out: {runs}.\n");
    out.push_str("\n## Targets\n");
    let figures: Vec<&Figure> = encode.iter().chain(&decode).chain(&hub).collect();
    report::targets(&mut out, &figures, &servers)?;
    out.push_str("\n## Fan-out over real sockets\n\n![Deliveries a second in a burst](benchmarks.svg)\n");
    report::fanout(&mut out, &servers)?;
    out.push_str("\n## Encoding\n\nFrom fields in hand to bytes in a buffer, the event built inside the loop.\n");
    report::figures(&mut out, &encode)?;
    out.push_str("\n## Decoding\n\nIn chunks of 1,460 B. `Decoder::decode` lends what it read; all others give text of their own.\n");
    report::figures(&mut out, &decode)?;
    out.push_str("\n## The hub alone\n");
    hub_tables(&mut out, &hub)?;
    out.push_str("\n## Two nodes\n");
    report::nodes(&mut out, nodes.as_ref())?;
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    fs::write(docs.join("benchmarks.md"), out)?;
    fs::write(docs.join("benchmarks.svg"), report::picture(&servers))
}
