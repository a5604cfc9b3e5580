//! Deliberate faults of servers that share a log: the kit must find each of them.

use super::engine::RedisServer;
use libtest_mimic::Failed;
use std::process::Command;

/// The case must fail, and the report must name the promise and the sentence of the contract.
pub(crate) fn found(engine: &RedisServer, fault: &str, case: &str) -> Result<(), Failed> {
    let (group, name) = case.split_once("::").ok_or("a fault names group::case")?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    command.args(["--patience-ms", "5000", "--group", group, "--case", name, "--"]);
    command.args([env!("CARGO_BIN_EXE_conformance-server"), "--adapter", "core", "--redis", &engine.url()]);
    let output = command.args(["--log", "fault-{}"]).env("FAULT", fault).output()?;
    let report = String::from_utf8_lossy(&output.stdout);
    let named = report.contains("    promise: ") && report.contains("    source:  ");
    if output.status.code() == Some(1) && report.contains(&format!("FAILED        {case}")) && named {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("the fault {fault} was not found:\n{report}{errors}").into())
}
