//! Serves the conformance routes through one adapter.

use clap::Parser;
use sse_conformance::server::{self, Error, FAULTS, Options};
use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|argument| argument == "--faults") {
        FAULTS.iter().for_each(|(name, case, fault)| println!("{name}\t{case}\t{fault}"));
        return ExitCode::SUCCESS;
    }
    match server::run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ Error::NotOffered) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("conformance-server: {error}");
            ExitCode::FAILURE
        }
    }
}
