//! Judges a server at a URL, or a server that this command starts.

use clap::Parser;
use clap::builder::PossibleValuesParser;
use sse_conformance::probe::Probe;
use sse_conformance::process::Server;
use sse_conformance::{Case, Failure, Group, Outcome, Report, Subject, Target, cases};
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Runs the suite against a server that implements the contract. Exits with 0 if nothing failed, with 1 if a case
/// failed, with 2 if nothing could be judged.
#[derive(Debug, Parser)]
#[command(name = "conformance")]
struct Arguments {
    /// A running server, `http://HOST:PORT`.
    #[arg(required_unless_present_any = ["list", "stream", "command"], conflicts_with_all = ["command", "stream"])]
    url: Option<String>,
    /// Another server of the same history, for example of the same log: for the group `nodes`.
    #[arg(long, value_name = "URL", requires = "url")]
    also: Option<String>,
    /// Judges one stream of any server, which needs none of the suite's routes: status, type, first byte, buffering,
    /// keep-alive, IDs, resume, HEAD, CORS, compression, HTTP/2, and whether the server notices a client that
    /// disconnects. Takes less than 30 s.
    #[arg(long, value_name = "URL", conflicts_with_all = ["command", "list", "also", "group", "case"])]
    stream: Option<String>,
    /// A header for every request of `--stream`, as `authorization: Bearer x`. Can be given several times.
    #[arg(long, value_name = "LINE", requires = "stream")]
    header: Vec<String>,
    /// How long `--stream` watches, at most 20 s.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, requires = "stream")]
    seconds: u64,
    /// Only the cases of this group. Can be given several times.
    #[arg(long, value_parser = PossibleValuesParser::new(Group::ALL.map(Group::as_str)))]
    group: Vec<String>,
    /// Only the cases whose name contains this text.
    #[arg(long)]
    case: Option<String>,
    /// Lists every case with the promise, and runs none.
    #[arg(long)]
    list: bool,
    /// The liveness bound in milliseconds, for everything without a promise about time.
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    patience_ms: u64,
    /// Stops at the first failure.
    #[arg(long)]
    fail_fast: bool,
    /// Writes only the report, as JSON, to standard output.
    #[arg(long)]
    json: bool,
    /// The command of a server to start. The server prints `listening on URL` and accepts the contract's options, or
    /// exits with 2 at an option that the server does not have. Then the cases that need options run too. In each
    /// argument `{}` becomes a text that no other history has: `--log suite-{}`.
    #[arg(last = true)]
    command: Vec<String>,
}

fn main() -> ExitCode {
    run(&Arguments::parse()).unwrap_or_else(|failure| {
        eprintln!("conformance: {failure}");
        ExitCode::from(2)
    })
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    // `--stream` promises an end within 30 s.
    let most = if arguments.stream.is_some() { 5_000 } else { u64::MAX };
    sse_conformance::set_patience(Duration::from_millis(arguments.patience_ms.min(most)));
    if let Some(url) = &arguments.stream {
        return probe(arguments, url);
    }
    let mut cases = cases::all();
    cases.retain(|case| arguments.group.is_empty() || arguments.group.iter().any(|name| name == case.group.as_str()));
    cases.retain(|case| arguments.case.as_ref().is_none_or(|part| case.name.contains(part)));
    if cases.is_empty() {
        return Err(Failure::new("no case has that in its name"));
    }
    if !arguments.list {
        return judge(arguments, &cases);
    }
    for case in &cases {
        let (group, Case { name, promise, source, .. }) = (case.group.as_str(), case);
        print(&format_args!("{group}::{name}\n    {promise} ({source})"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn probe(arguments: &Arguments, url: &str) -> Result<ExitCode, Failure> {
    let probe = Probe::new(url)?.watch(Duration::from_secs(arguments.seconds));
    let findings = arguments.header.iter().try_fold(probe, |probe, line| probe.header(line))?.run()?;
    if arguments.json {
        print(&format_args!("{:#}", serde_json::to_value(&findings)?))?;
    } else {
        print(&findings)?;
    }
    Ok(if findings.wrong() == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Prints a line. A reader that has seen enough, such as `head`, closes the pipe; then a server that was started is
/// stopped too.
fn print(line: &dyn Display) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{line}").map_err(|error| Failure::new(format_args!("nobody reads on: {error}")))
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
    // Keeps the server running until all cases have run.
    let mut server = match start {
        // A short interval keeps the cases about keep-alives short. A server without this option runs with the interval
        // from `/about`.
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
    let subject = Subject::new(&target).also(also).start(start);
    let progress = std::io::stderr().is_terminal();
    let mut printed = Ok(());
    let report = Report::run(subject, server.as_mut(), cases, |at, case, row| {
        match row {
            None if progress => eprint!("\r\x1b[2K[{}/{}] {}::{}", at + 1, cases.len(), case.group.as_str(), case.name),
            None => {}
            Some(_) if progress => eprint!("\r\x1b[2K"),
            Some(_) => {}
        }
        if let Some(row) = row.filter(|_| !arguments.json) {
            printed = print(row);
        }
        let failed = row.is_some_and(|row| matches!(row.outcome, Outcome::Failed(_)));
        let enough = printed.is_err() || failed && arguments.fail_fast;
        if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    printed?;
    if arguments.json {
        let [passed, failed, out_of_scope] = report.counts();
        let counts = serde_json::json!({ "passed": passed, "failed": failed, "out-of-scope": out_of_scope });
        let json = serde_json::json!({ "server": report.server, "counts": counts, "cases": report.cases });
        print(&format_args!("{json:#}"))?;
    } else {
        print(&report)?;
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

/// A text that no other run and nothing else in this run uses.
fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{now:x}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
