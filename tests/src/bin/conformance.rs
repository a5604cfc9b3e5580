//! Judges whatever answers at a URL, or a server that it starts itself.

use clap::Parser;
use sse_conformance::process::Server;
use sse_conformance::{Case, Failure, Group, Outcome, Report, Subject, Target, cases};
use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// Runs the suite against a server that speaks the contract. Ends with 0 if nothing failed, with 1 if something did,
/// with 2 if nothing could be judged.
#[derive(Debug, Parser)]
#[command(name = "conformance")]
struct Arguments {
    /// A server that runs, `http://HOST:PORT`.
    #[arg(required_unless_present_any = ["list", "command"], conflicts_with = "command")]
    url: Option<String>,
    /// Another server of the same history, as when both follow one log: for the group `nodes`.
    #[arg(long, value_name = "URL", requires = "url")]
    also: Option<String>,
    /// Only the cases of this group; may be given again.
    #[arg(long, value_parser = group)]
    group: Vec<Group>,
    /// Only the cases whose name contains this.
    #[arg(long)]
    case: Option<String>,
    /// Lists the cases and the promise of each, and runs none.
    #[arg(long)]
    list: bool,
    /// Ends with the first failure.
    #[arg(long)]
    fail_fast: bool,
    /// Writes the report as JSON, and nothing else, to standard output.
    #[arg(long)]
    json: bool,
    /// The command of a server to start instead: it prints `listening on URL` and takes the contract's options, or ends
    /// with 2 at one that it does not have. Then the cases that need options run too. In each argument `{}` becomes a
    /// text that no other history has: `--log suite-{}`.
    #[arg(last = true)]
    command: Vec<String>,
}

fn group(name: &str) -> Result<Group, String> {
    let group = Group::ALL.into_iter().find(|group| group.as_str() == name);
    group.ok_or_else(|| {
        let names: Vec<_> = Group::ALL.iter().map(|group| group.as_str()).collect();
        format!("the groups are {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut cases = cases::all();
    cases.retain(|case| arguments.group.is_empty() || arguments.group.contains(&case.group));
    cases.retain(|case| arguments.case.as_ref().is_none_or(|part| case.name.contains(part)));
    if arguments.list {
        for case in &cases {
            println!("{}::{}\n    {} ({})", case.group.as_str(), case.name, case.promise, case.source);
        }
        return ExitCode::SUCCESS;
    }
    judge(&arguments, &cases).unwrap_or_else(|failure| {
        eprintln!("conformance: {failure}");
        ExitCode::from(2)
    })
}

fn judge(arguments: &Arguments, cases: &[Case]) -> Result<ExitCode, Failure> {
    let start = arguments.command.split_first().map(|(program, rest)| {
        move || {
            let unique = unique();
            let mut command = Command::new(program);
            command.args(rest.iter().map(|argument| argument.replace("{}", &unique)));
            command
        }
    });
    let start = start.as_ref().map(|start| start as &dyn Fn() -> Command);
    // It lives until all cases have run.
    let server = match start {
        // Short, so that the cases about it are; whoever has no such option is waited for.
        Some(start) => match Server::start(start().args(["--keep-alive-ms", "600"])) {
            Err(failure) if failure.is_out_of_scope() => Some(Server::start(&mut start())?),
            started => Some(started?),
        },
        None => None,
    };
    let target = match (&server, &arguments.url) {
        (Some(server), _) => server.target().clone(),
        (None, Some(url)) => Target::new(url)?,
        (None, None) => return Err(Failure::new("there is no server to judge")),
    };
    let also = arguments.also.as_deref().map(Target::new).transpose()?;
    let subject = Subject::new(&target).also(also.as_ref()).start(start);
    let progress = std::io::stderr().is_terminal();
    let report = Report::run(subject, cases, |at, case, row| {
        match row {
            None if progress => eprint!("\r\x1b[2K[{}/{}] {}::{}", at + 1, cases.len(), case.group.as_str(), case.name),
            None => {}
            Some(_) if progress => eprint!("\r\x1b[2K"),
            Some(_) => {}
        }
        if let Some(row) = row.filter(|_| !arguments.json) {
            println!("{row}");
        }
        let failed = row.is_some_and(|row| matches!(row.outcome, Outcome::Failed(_)));
        if failed && arguments.fail_fast { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if arguments.json {
        let [passed, failed, out_of_scope] = report.counts();
        let counts = serde_json::json!({ "passed": passed, "failed": failed, "out-of-scope": out_of_scope });
        let json = serde_json::json!({ "server": report.server, "counts": counts, "cases": report.cases });
        serde_json::to_writer_pretty(std::io::stdout(), &json)?;
        println!();
    } else {
        println!("{report}");
    }
    std::io::stdout().flush()?;
    let [passed, failed, _] = report.counts();
    // A server that offers nothing has kept no promise.
    Ok(ExitCode::from(if failed > 0 {
        1
    } else if passed == 0 {
        2
    } else {
        0
    }))
}

/// What no other run, and nothing else of this one, is named by.
fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{now:x}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
