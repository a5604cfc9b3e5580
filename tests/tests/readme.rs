//! The README's handlers and shutdown, as programs: SIGTERM ends them although every kind of stream is open.

use sse_conformance::Target;
use sse_conformance::client::Request;
use sse_conformance::process::Server;
use std::process::Command;
use std::time::{Duration, Instant};

/// A function of a text, without what formatting adds: spaces, line breaks, commas at the end of a list, braces of one
/// statement.
fn function(text: &str, name: &str) -> Option<String> {
    let start = ["async fn ", "fn "].iter().find_map(|kind| text.find(&format!("\n{kind}{name}")))?;
    let text = &text[start..];
    let text: String = text[..text.find("\n}\n")?].split_whitespace().collect();
    Some(text.replace(",)", ")").replace(",}", "}"))
}

/// Hazard D1.
#[test]
fn the_programs_are_the_readmes_code() {
    let readme = include_str!("../../README.md");
    let sections = [
        ("<summary>On axum", include_str!("../src/bin/readme/axum.rs"), "on_axum"),
        ("<summary>On actix-web", include_str!("../src/bin/readme/actix.rs"), "on_actix_web"),
        ("<summary>On warp", include_str!("../src/bin/readme/warp.rs"), "on_warp"),
    ];
    for (section, program, shutdown) in sections {
        let (_, section) = readme.split_once(section).unwrap();
        for name in ["countdown", "tokens", "page", "ask"] {
            let code = function(section, name);
            assert!(code.is_some() && code == function(program, name), "{name}: {code:?}");
        }
        let code = function(readme, shutdown);
        assert!(code.is_some() && code == function(program, shutdown), "{shutdown}: {code:?}");
    }
}

/// Hazard D1.
#[test]
fn sigterm_ends_them_with_all_four_kinds_of_stream_open() {
    for framework in ["axum", "actix", "warp"] {
        let mut server = Server::start(Command::new(env!("CARGO_BIN_EXE_readme")).arg(framework)).unwrap();
        let target: Target = server.target().clone();
        let open = |path: &str| target.ask(&Request::get(path).header("accept", "text/event-stream")).unwrap();
        let mut streams = ["/news", "/countdown", "/tokens", "/"].map(open);
        streams[1].read_until("data: 10\n\n", Duration::from_secs(5)).unwrap();
        let began = Instant::now();
        server.terminate().unwrap();
        // The window is 5 s, and so are the last ten numbers of the countdown not at their end.
        let status = server.wait(Duration::from_secs(9)).unwrap();
        assert!(status.success(), "{framework}: {status}");
        println!("{framework}: after {:?}", began.elapsed());
        for stream in &mut streams {
            stream.read_to_end(Duration::from_secs(5)).unwrap();
        }
    }
}
