//! Servers in other languages, each judged by the command, as anybody would: the proof that the contract is one.

use libtest_mimic::{Arguments, Failed};
use sse_test_support::trials::needing;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), vec![needing("node", "node", node)]).exit_code()
}

fn node() -> Result<(), Failed> {
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/servers/node/server.mjs");
    let output = Command::new(env!("CARGO_BIN_EXE_conformance")).args(["--", "node", server]).output()?;
    let report = String::from_utf8_lossy(&output.stdout);
    let last = report.lines().last().unwrap_or_default();
    println!("{last}");
    if !output.status.success() {
        return Err(format!("{report}{}", String::from_utf8_lossy(&output.stderr)).into());
    }
    // It offers what it offers: that much was judged, and topics were not.
    if !report.contains("ok            lifecycle::finish_then_204") || !report.contains("out of scope  resumption::") {
        return Err(report.into_owned().into());
    }
    Ok(())
}
