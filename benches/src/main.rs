//! The measured claims: this stack and its peers, side by side in one run.
//!
//! `all` writes the tables and the picture into `docs/`. Every other command prints tables.

mod compression;
mod decode;
mod encode;
mod fanout;
mod hub;
mod measure;
mod nodes;
mod report;
mod shapes;
mod still;
mod threads;

use clap::{Parser, Subcommand};
use fanout::{Kind, Part};
use measure::{Case, Figure};
use report::Targets;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use threads::Threads;

#[derive(Parser)]
#[command(about)]
struct Args {
    /// A recorded stream to decode as well: the data of one event per line.
    #[arg(long, global = true)]
    recording: Option<PathBuf>,
    /// The number of interleaved rounds behind each median in ns.
    #[arg(long, global = true, default_value_t = 51)]
    rounds: usize,
    /// The number of interleaved rounds behind each median of the fan-out.
    #[arg(long, global = true, default_value_t = 3)]
    runs: usize,
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
    /// One topic of the hub on several threads, and a publish to a crowd. A part of `hub`.
    Threads,
    /// Topics that are compressed once, with `--recording` those events too.
    Compression,
    /// Instructions of all of these, which are the same in every run. Requires valgrind.
    Count {
        /// `encode`, `decode`, `hub`. The default is all.
        groups: Vec<String>,
        /// Only tasks and contenders with this text, such as `JSON` or `ours`.
        #[arg(long, default_value = "")]
        only: String,
    },
    /// Over real sockets.
    Fanout {
        /// Only these servers.
        #[arg(long, value_enum)]
        only: Vec<Kind>,
        /// Only these parts.
        #[arg(long, value_enum)]
        part: Vec<Part>,
    },
    /// Two nodes at a `redis-server` that this command starts.
    Nodes,
    /// A replay storm, in a process of its own.
    #[command(hide = true)]
    Storm { streams: usize },
    /// A server of the fan-out.
    #[command(hide = true)]
    Serve { kind: Kind, topics: usize },
    /// The load client of the fan-out.
    #[command(hide = true)]
    Load { port: u16 },
    /// One case this many times, for callgrind.
    #[command(hide = true)]
    Repeat { group: String, name: String, times: usize },
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let recording = args.recording.as_deref();
    match &args.what {
        What::Serve { kind, topics } => fanout::serve(*kind, *topics),
        What::Load { port } => fanout::load(*port),
        What::Storm { streams } => hub::storm(*streams).map(|storm| println!("{storm}")),
        What::Repeat { group, name, times } => {
            measure::repeat(cases(group, recording)?, name, *times);
            Ok(())
        }
        What::Encode => print(|out| report::figures(out, &measured("encode", &args)?)),
        What::Decode => print(|out| report::figures(out, &measured("decode", &args)?)),
        What::Hub => print(|out| hub_tables(out, &measured("hub", &args)?, &Threads::measure(args.runs)?)),
        What::Threads => print(|out| report::threads(out, &Threads::measure(args.runs)?)),
        What::Compression => print(|out| compression::run(out, recording, args.rounds)),
        What::Count { groups, only } => print(|out| count(out, groups, only, recording)),
        What::Fanout { only, part } => print(|out| {
            let measured = fanout::measure((part, only), args.runs)?;
            fanout::tables(out, &measured);
            let mut targets = Targets::new();
            fanout::targets(&mut targets, &measured);
            out.push_str(&targets.into_table());
            Ok(())
        }),
        What::Nodes => print(|out| report::nodes(out, nodes::run(args.runs)?.as_ref())),
        What::All => all(&args),
    }
}

const GROUPS: [&str; 3] = ["encode", "decode", "hub"];

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
    Ok(measure::race(cases(group, args.recording.as_deref())?, args.rounds))
}

/// The arguments that give a child process the same cases of a group.
fn recorded(group: &str, recording: Option<&Path>) -> Vec<String> {
    recording
        .filter(|_| group == "decode")
        .into_iter()
        .flat_map(|path| ["--recording".to_owned(), path.display().to_string()])
        .collect()
}

fn count(out: &mut String, groups: &[String], only: &str, recording: Option<&Path>) -> io::Result<()> {
    let all = GROUPS.map(str::to_owned);
    for group in if groups.is_empty() { &all[..] } else { groups } {
        let mut figures: Vec<Figure> = cases(group, recording)?.iter().map(measure::Case::figure).collect();
        figures.retain(|figure| figure.task.contains(only) || figure.contender.contains(only));
        measure::count(&mut figures, group, &recorded(group, recording))?;
        report::figures(out, &figures)?;
    }
    Ok(())
}

fn hub_tables(out: &mut String, figures: &[Figure], threads: &Threads) -> io::Result<()> {
    report::figures(out, figures)?;
    report::threads(out, threads)?;
    let storm = Command::new(std::env::current_exe()?).args(["storm", "5000"]).output()?;
    report::hub(out, &hub::longest(), String::from_utf8_lossy(&storm.stdout).trim())
}

const INTRODUCTION: &str = "# Benchmarks

Written by `cargo run --release --manifest-path benches/Cargo.toml -- all`, which measures everything in one run, on a
virtual machine of two cores. Read the ratios, not the times: contenders take turns, times are CPU time of the thread in
medians of interleaved rounds, and the fan-out counts the server's CPU time. A ratio moves by some hundredths between runs.

Instructions are counted by callgrind (`-- count`, or `-- count encode --only JSON`), where valgrind is installed. They
repeat exactly, but are no time: a copy or a search counts for little, and where a buffer lies may move a count by 2%.
";

fn all(args: &Args) -> io::Result<()> {
    let (mut encode, mut decode, mut hub) =
        (measured("encode", args)?, measured("decode", args)?, measured("hub", args)?);
    for (group, figures) in GROUPS.into_iter().zip([&mut encode, &mut decode, &mut hub]) {
        if let Err(error) = measure::count(figures, group, &recorded(group, args.recording.as_deref())) {
            eprintln!("without instructions of {group}: {error}");
        }
    }
    let measured = fanout::measure((&[], &[]), args.runs)?;
    let nodes = nodes::run(args.runs)?;
    let threads = Threads::measure(args.runs)?;
    let (rounds, runs) = (args.rounds, args.runs);
    let mut out = format!("{INTRODUCTION}\nRounds in ns: {rounds}. Runs of each server in the fan-out: {runs}.\n");
    out.push_str("\n## Targets\n");
    let figures: Vec<&Figure> = encode.iter().chain(&decode).chain(&hub).collect();
    let mut targets = Targets::new();
    report::targets(&mut targets, &figures);
    threads.targets(&mut targets);
    fanout::targets(&mut targets, &measured);
    out.push_str(&targets.into_table());
    out.push_str(fanout::INTRODUCTION);
    fanout::tables(&mut out, &measured);
    out.push_str("\n## Encoding\n\nFrom fields in hand to bytes in a buffer, the event built inside the loop.\n");
    report::figures(&mut out, &encode)?;
    out.push_str("\n## Decoding\n\nIn chunks of 1,460 B. `Decoder::decode` lends what it read; all others give text of their own.\n");
    report::figures(&mut out, &decode)?;
    out.push_str("\n## The hub alone\n");
    hub_tables(&mut out, &hub, &threads)?;
    out.push_str("\n## Two nodes\n");
    report::nodes(&mut out, nodes.as_ref())?;
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    fs::write(docs.join("benchmarks.md"), out)?;
    fs::write(docs.join("benchmarks.svg"), fanout::picture(&measured))
}
