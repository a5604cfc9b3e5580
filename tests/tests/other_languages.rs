//! Servers in other languages, each judged by the command, as anybody would: the proof that the contract is one.

use libtest_mimic::{Arguments, Failed};
use sse_conformance::client::Request;
use sse_conformance::process::Server;
use sse_test_support::trials::needing;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let trials = vec![
        needing("node", "node", node),
        needing("node", "reader_in_the_document_receives_blocks_that_start_with_a_comment", reader),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
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

/// Runs the reader that docs/migrating.md shows, on a stream with comments, lines beside data, and data of two lines.
fn reader() -> Result<(), Failed> {
    let document = include_str!("../../docs/migrating.md");
    let reader = document.split("```js reader\n").nth(1).and_then(|rest| rest.split("```").next());
    let server = env!("CARGO_BIN_EXE_conformance-server");
    let server = Server::start(Command::new(server).args(["--adapter", "axum"])).map_err(|error| error.to_string())?;
    let steps = r#"[{"send":{"data":"1"}},{"comment":"quiet"},{"send":{"data":"2"}},{"comment":"quiet"},
        {"send":{"id":"7","event":"note","data":"3\n4"}},{"close":true}]"#;
    let url = format!("http://{}{}", server.target().address(), Request::script_path(steps));
    let program = format!(
        "{}\nconst shown = [];\nconst answer = await fetch({url:?}, {{ headers: {{ accept: 'text/event-stream' }} }});\n\
         await read(answer, (data) => shown.push(data));\nconsole.log(JSON.stringify(shown));",
        reader.ok_or("no reader in docs/migrating.md")?
    );
    let output = Command::new("node").args(["--input-type=module", "-e", &program]).output()?;
    let (shown, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if shown.trim() == r#"["1","2","3\n4"]"# { Ok(()) } else { Err(format!("{shown}{errors}").into()) }
}
