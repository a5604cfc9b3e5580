//! Serves the conformance routes through one adapter.

use clap::Parser;
use sse_conformance::server::{self, Error, Options};
use std::process::ExitCode;

fn main() -> ExitCode {
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
