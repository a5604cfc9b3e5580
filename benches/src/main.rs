//! The measured claims: this stack and its peers, side by side in one run.

mod decode;
mod encode;
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
    /// One case so many times, for callgrind.
    #[command(hide = true)]
    Repeat { group: String, name: String, times: usize },
}

fn cases(group: &str, recording: Option<&Path>) -> io::Result<Vec<Case>> {
    match group {
        "encode" => Ok(encode::cases()),
        "decode" => decode::cases(recording),
        _ => Ok(Vec::new()),
    }
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let recording = args.recording.as_deref();
    match args.what {
        What::Repeat { group, name, times } => measure::repeat(cases(&group, recording)?, &name, times),
        What::Encode => {
            measure::race(cases("encode", recording)?, args.rounds);
        }
        What::Decode => {
            measure::race(cases("decode", recording)?, args.rounds);
        }
    }
    Ok(())
}
