//! Prints the table of hazards: what prevents each, and which tests show it.

use sse_conformance::hazards::Table;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match Table::read(&workspace) {
        Ok(table) => {
            println!("{table}");
            table.faults().iter().for_each(|fault| eprintln!("wrong: {fault}"));
            if table.faults().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(failure) => {
            eprintln!("hazards: {failure}");
            ExitCode::FAILURE
        }
    }
}
