//! The measured claims: this stack and its peers, side by side in one run.

mod decode;
mod encode;
mod fanout;
mod hub;
mod measure;
mod shapes;
mod still;

use clap::{Parser, Subcommand};
use measure::Case;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Parser)]
#[command(about)]
struct Args {
    /// A recorded stream to decode too: one event's data a line. May be given several times.
    #[arg(long, global = true)]
    recording: Option<PathBuf>,
    /// How many interleaved rounds each median is of.
    #[arg(long, global = true, default_value_t = 51)]
    rounds: usize,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// From fields in hand to bytes in a buffer.
    Encode,
    /// From chunks to events.
    Decode,
    /// The hub alone.
    Hub,
    /// A replay storm, in a process of its own.
    #[command(hide = true)]
    Storm { streams: usize },
    /// Over real sockets, one server after the other.
    Fanout {
        /// Only these servers.
        #[arg(long, value_enum)]
        only: Vec<fanout::Kind>,
    },
    /// A server of the fan-out.
    #[command(hide = true)]
    Serve { kind: fanout::Kind },
    /// The load client of the fan-out.
    #[command(hide = true)]
    Load { port: u16, streams: usize, events: usize },
    /// One case so many times, for callgrind.
    #[command(hide = true)]
    Repeat { group: String, name: String, times: usize },
}

fn cases(group: &str, recording: Option<&Path>) -> io::Result<Vec<Case>> {
    match group {
        "encode" => Ok(encode::cases()),
        "decode" => decode::cases(recording),
        "hub" => Ok(hub::cases()),
        _ => Ok(Vec::new()),
    }
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let recording = args.recording.as_deref();
    match args.what {
        What::Repeat { group, name, times } => measure::repeat(cases(&group, recording)?, &name, times),
        What::Serve { kind } => fanout::serve(kind)?,
        What::Load { port, streams, events } => fanout::load(port, streams, events)?,
        What::Fanout { only } => {
            use clap::ValueEnum;
            let kinds: &[_] = if only.is_empty() { fanout::Kind::value_variants() } else { &only };
            for kind in kinds {
                let burst = fanout::Load { name: "burst", streams: 1000, events: 2000, bytes: 100, every: None };
                let paced = fanout::Load {
                    name: "paced", streams: 2000, events: 100, bytes: 100,
                    every: Some(std::time::Duration::from_millis(40)),
                };
                let loads = if kind.title().contains("floor") { &[paced][..] } else { &[burst, paced] };
                for load in loads {
                    let o = fanout::run(*kind, load)?;
                    eprintln!("{} {}: {:.0}/s {:.3} us {:.2} {:.2} ms lost {} dis {}", load.name, kind.title(), o.per_second, o.cpu_us, o.p50_ms, o.p99_ms, o.lost, o.disordered);
                }
                eprintln!("idle {}: {:.0}", kind.title(), fanout::idle(*kind)?);
            }
        }
        What::Storm { streams } => {
            let storm = hub::storm(streams)?;
            println!("{} {} {}", storm.events, storm.ms, storm.bytes);
        }
        What::Hub => {
            measure::race(cases("hub", recording)?, 15);
            for (name, millions) in hub::threads() {
                eprintln!("{name}: {millions:.1} M/s");
            }
        }
        What::Encode => {
            measure::race(cases("encode", recording)?, args.rounds);
        }
        What::Decode => {
            measure::race(cases("decode", recording)?, args.rounds);
        }
    }
    Ok(())
}
