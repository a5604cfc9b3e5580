//! The handlers and the shutdown of docs/axum.md, docs/actix.md and docs/warp.md, as programs: SIGTERM ends them although
//! every kind of stream is open.

use sse_conformance::Target;
use sse_conformance::client::Request;
use sse_conformance::process::Server;
use std::process::Command;
use std::time::{Duration, Instant};

/// The text of a function without the differences that rustfmt makes: spaces, line breaks, commas at the end of a list.
fn function(text: &str, name: &str) -> Option<String> {
    let start = ["async fn ", "fn "].iter().find_map(|kind| text.find(&format!("\n{kind}{name}")))?;
    let text = &text[start..];
    let text: String = text[..text.find("\n}\n")?].split_whitespace().collect();
    Some(text.replace(",)", ")").replace(",}", "}"))
}

/// Hazard D1.
#[test]
fn the_programs_have_the_code_of_the_documents() {
    let pages = [
        (include_str!("../../docs/axum.md"), include_str!("../src/bin/readme/axum.rs")),
        (include_str!("../../docs/actix.md"), include_str!("../src/bin/readme/actix.rs")),
        (include_str!("../../docs/warp.md"), include_str!("../src/bin/readme/warp.rs")),
    ];
    for (page, program) in pages {
        let program = program.replace("pub(crate) ", "");
        for name in ["serve", "countdown", "tokens", "page", "ask", "routes"] {
            let code = function(page, name);
            assert!(code.is_some() && code == function(&program, name), "{name}: {code:?}");
        }
    }
}

/// Hazard D1.
#[test]
fn sigterm_ends_the_programs_with_four_kinds_of_stream_open() {
    for framework in ["axum", "actix", "warp"] {
        let mut server = Server::start(Command::new(env!("CARGO_BIN_EXE_readme")).arg(framework)).unwrap();
        let target: Target = server.target().clone();
        let open = |path: &str| target.ask(&Request::get(path).header("accept", "text/event-stream")).unwrap();
        let mut streams = ["/news", "/countdown", "/tokens", "/"].map(open);
        streams[1].read_until("data: 10\n\n", Duration::from_secs(5)).unwrap();
        let began = Instant::now();
        server.terminate().unwrap();
        // The window is 5 s, and the countdown needs 10 s.
        let status = server.wait(Duration::from_secs(9)).unwrap();
        assert!(status.success(), "{framework}: {status}");
        println!("{framework}: after {:?}", began.elapsed());
        for stream in &mut streams {
            stream.read_to_end(Duration::from_secs(5)).unwrap();
        }
    }
}
