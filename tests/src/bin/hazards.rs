//! Prints the table of hazards: the prevention of each, and the tests that show the prevention.

use clap::Parser;
use sse_conformance::hazards::Table;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Prints how servers of Server-Sent Events break, and which tests show that this one does not. Exits with 1 if a row
/// is neither shown by a test nor left to the user.
#[derive(Debug, Parser)]
#[command(name = "hazards")]
struct Arguments {
    /// Only the row of this name, as `A1`.
    row: Option<String>,
}

fn main() -> ExitCode {
    let Arguments { row } = Arguments::parse();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match Table::read(&workspace) {
        Ok(table) => {
            let text = match row.as_deref().map(|name| (name, table.row(name))) {
                None => table.to_string(),
                Some((_, Some(text))) => text,
                Some((name, None)) => {
                    eprintln!("hazards: no row is named {name}");
                    return ExitCode::from(2);
                }
            };
            // A reader that has seen enough, such as `head`, closes the pipe. That is no error.
            if writeln!(io::stdout(), "{text}").is_err() {
                return ExitCode::SUCCESS;
            }
            table.faults().iter().for_each(|fault| eprintln!("wrong: {fault}"));
            if table.faults().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(failure) => {
            eprintln!("hazards: {failure}");
            ExitCode::FAILURE
        }
    }
}
