//! Servers in other languages, each judged by the command as an author of another server would use the command. The
//! suite must accuse no correct server, and must find one deliberate fault after another.

use libtest_mimic::{Arguments, Failed, Trial};
use sse_conformance::process::Server;
use sse_conformance::server::FAULTS;
use sse_test_support::trials::needing;
use std::process::{Command, ExitCode, Output};

/// Most trials wait for a server more than they compute.
const AT_ONCE: usize = 4;
const NODE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/foreign-servers/node/server.mjs");
const SERVER: &str = env!("CARGO_BIN_EXE_conformance-server");
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/foreign-servers/python/server.py");

fn main() -> ExitCode {
    let mut trials = vec![
        needing("node", "a_server_in_node_passes", || passes(&["node", NODE])),
        needing("python3", "a_server_in_python_passes", || passes(&["python3", PYTHON])),
    ];
    trials.extend(faults().into_iter().map(|(fault, case)| {
        needing("python3", format!("the_fault_is_found::{fault}"), move || found(&fault, &case, &["python3", PYTHON]))
            .with_kind("faults")
    }));
    // The Python server does not offer these groups, so the faults are in our own server.
    trials.extend(
        ["http-2::", "pace::", "ended-topics::", "state::", "compressed-once::"].into_iter().flat_map(own_faults).map(
            |(fault, case)| {
                Trial::test(format!("the_fault_is_found::{fault}"), move || {
                    found(fault, case, &[SERVER, "--adapter", "core"])
                })
                .with_kind("faults")
            },
        ),
    );
    trials.push(needing("python3", "a_server_that_ends_is_named_and_started_again", crash));
    trials.push(Trial::test("every_group_has_a_fault", || {
        let (mut faults, cases) = (faults(), sse_conformance::cases::all());
        faults.extend(own_faults("").map(|(fault, case)| (fault.to_owned(), case.to_owned())));
        for (fault, case) in &faults {
            let group = case.split("::").next().unwrap_or_default();
            let exists =
                cases.iter().any(|known| format!("{}::{}", known.group.as_str(), known.name).starts_with(case));
            assert!(exists && !group.is_empty(), "{fault} names {case}, and there is no such case");
        }
        for group in sse_conformance::Group::ALL.map(|group| group.as_str()) {
            let has = faults.iter().any(|(_, case)| case.starts_with(&format!("{group}::")));
            assert!(has, "no fault of the group {group}");
        }
        Ok(())
    }));
    trials.push(needing("node", "reader_in_the_document_receives_blocks_that_start_with_a_comment", reader));
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The faults of the Python server with the case that must fail; empty without Python.
fn faults() -> Vec<(String, String)> {
    let Ok(output) = Command::new("python3").args([PYTHON, "--faults"]).output() else { return Vec::new() };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().map(|line| line.split('\t').map(str::to_owned));
    lines.filter_map(|mut words| Some((words.next()?, words.next()?))).collect()
}

/// The faults of our own server that cases of this group must find.
fn own_faults(group: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    FAULTS.iter().filter(move |(_, case, _)| case.starts_with(group)).map(|(fault, case, _)| (*fault, *case))
}

fn judge(options: &[&str], fault: Option<&str>, server: &[&str]) -> std::io::Result<(Output, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    command.args(options).arg("--").args(server).env("FAULT", fault.unwrap_or_default());
    let output = command.output()?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok((output, text))
}

fn passes(server: &[&str]) -> Result<(), Failed> {
    let (output, report) = judge(&[], None, server)?;
    println!("{}", report.lines().last().unwrap_or_default());
    if !output.status.success() || !report.contains("ok            lifecycle::finish_then_204") {
        return Err(report.into());
    }
    // A group that the server does not offer must be out of scope.
    if !report.contains("out of scope  nodes::both_servers_have_one_order: not offered") {
        return Err(report.into());
    }
    Ok(())
}

/// The case must fail, and the report must name the promise and the sentence of the contract.
fn found(fault: &str, case: &str, server: &[&str]) -> Result<(), Failed> {
    let (group, name) = case.split_once("::").ok_or("a fault names group::case")?;
    let (output, report) = judge(&["--patience-ms", "5000", "--group", group, "--case", name], Some(fault), server)?;
    let named = report.contains("    promise: ") && report.contains("    source:  ");
    if output.status.code() == Some(1) && report.contains(&format!("FAILED        {case}")) && named {
        return Ok(());
    }
    Err(format!("the fault {fault} was not found:\n{report}").into())
}

fn crash() -> Result<(), Failed> {
    let options = ["--group", "framing", "--case", "comment"];
    let (output, report) = judge(&options, Some("crash"), &["python3", PYTHON])?;
    let words = "FAILED        framing::comment_dispatches_nothing\n    the server ended by itself (exit status: 3); its last lines of standard error:\n    | a comment is too much for this server";
    let again = "FAILED        framing::empty_comment_dispatches_nothing\n    the server ended by itself";
    if output.status.code() == Some(1)
        && report.contains(words)
        && report.contains(again)
        && !report.contains("refused")
    {
        return Ok(());
    }
    Err(report.into())
}

/// Runs the reader that docs/migrating.md shows, on a stream with comments, lines beside data, and data of two lines.
fn reader() -> Result<(), Failed> {
    let document = include_str!("../../docs/migrating.md");
    let reader = document.split("```js reader\n").nth(1).and_then(|rest| rest.split("```").next());
    let server = env!("CARGO_BIN_EXE_conformance-server");
    let server = Server::start(Command::new(server).args(["--adapter", "axum"])).map_err(|error| error.to_string())?;
    let steps = r#"[{"send":{"data":"1"}},{"comment":"quiet"},{"send":{"data":"2"}},{"comment":"quiet"},
        {"send":{"id":"7","event":"note","data":"3\n4"}},{"close":true}]"#;
    let url = format!("http://{}/fetch", server.target().address());
    let program = format!(
        "{}\nconst shown = [];\nconst answer = await fetch({url:?}, {{ method: 'POST', body: `{}` }});\n\
         await read(answer, (data) => shown.push(data));\nconsole.log(JSON.stringify(shown));",
        reader.ok_or("no reader in docs/migrating.md")?,
        // A backslash of JSON, in a text of JavaScript.
        steps.replace('\\', "\\\\"),
    );
    let output = Command::new("node").args(["--input-type=module", "-e", &program]).output()?;
    let (shown, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if shown.trim() == r#"["1","2","3\n4"]"# { Ok(()) } else { Err(format!("{shown}{errors}").into()) }
}
