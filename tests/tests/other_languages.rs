//! Servers in other languages, each judged by the command, as anybody would: the proof that the contract is one.

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::{Command, ExitCode, Stdio};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let there = Command::new("node").arg("--version").stdout(Stdio::null()).status().is_ok();
    // Where everything must run, something missing is a failure; elsewhere the name says why nothing ran.
    let must = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    let name = if there || must { "node" } else { "node: there is no command `node` here" };
    let trial = Trial::test(name, node).with_ignored_flag(!there && !must);
    libtest_mimic::run(&arguments, vec![trial]).exit_code()
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
