//! Judges whatever answers at a URL.

use clap::Parser;
use sse_conformance::{Case, Failure, Target, cases};
use std::process::ExitCode;

/// Runs the suite against a server that speaks the contract.
#[derive(Debug, Parser)]
#[command(name = "conformance")]
struct Arguments {
    /// The server, `http://HOST:PORT`.
    #[arg(required_unless_present = "list")]
    url: Option<String>,
    /// Only the cases of this group; may be given again.
    #[arg(long)]
    group: Vec<String>,
    /// Lists the cases and the promise of each, and runs none.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut cases = cases::all();
    cases.retain(|case| arguments.group.is_empty() || arguments.group.iter().any(|group| group == case.group.as_str()));
    match &arguments.url {
        Some(url) if !arguments.list => judge(url, &cases).unwrap_or_else(|failure| {
            eprintln!("conformance: {failure}");
            ExitCode::from(2)
        }),
        _ => {
            for case in &cases {
                println!("{}::{}\n    {} ({})", case.group.as_str(), case.name, case.promise, case.source);
            }
            ExitCode::SUCCESS
        }
    }
}

fn judge(url: &str, cases: &[Case]) -> Result<ExitCode, Failure> {
    let target = Target::new(url)?;
    let about = target.about()?;
    println!("{} at {url}", about.name);
    let (mut passed, mut failed, mut left_out) = (0, 0, 0);
    for case in cases {
        let name = format!("{}::{}", case.group.as_str(), case.name);
        if !about.groups.iter().any(|group| group == case.group.as_str()) {
            left_out += 1;
            println!("out of scope  {name}: not offered");
        } else if !case.is_portable() {
            left_out += 1;
            println!("out of scope  {name}: needs a server started for it");
        } else if let Err(failure) = case.judge(&target, None) {
            failed += 1;
            println!("FAILED        {name}\n    {failure}");
        } else {
            passed += 1;
            println!("ok            {name}");
        }
    }
    println!("{passed} passed, {failed} failed, {left_out} out of scope");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
