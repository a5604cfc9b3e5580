//! The compiler's messages for common mistakes. The correct code for each mistake compiles.

use std::path::{Path, PathBuf};
use std::process::Command;

const PRELUDE: &str = "#![allow(unused)]
use sse_core::{Event, Hub, Runtime, Sse, UnixSeconds};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
struct Receiver<T>(T);
struct StreamSource<T>(T);
impl<T> sse_core::__Stream for StreamSource<T> {
    type Item = T;
    fn poll_next(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Option<T>> {
        std::task::Poll::Ready(None)
    }
}
";

/// Compiles the body of a function with a request `sse` and a `hub`. Returns the compiler's messages, none for correct
/// code.
fn compiler_prints(body: &str) -> String {
    let source = format!("{PRELUDE}fn handler<R: Runtime>(sse: Sse<R>, hub: &Hub) {{ {body}; }}\n");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("handler.rs");
    std::fs::write(&file, source).unwrap();
    let libraries = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "--color", "never", "--out-dir"])
        .arg(folder.path())
        .arg("-L")
        .arg(format!("dependency={}", libraries.display()))
        .arg("--extern")
        .arg(format!("sse_core={}", newest_library(&libraries).display()))
        .arg(&file)
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.success(), printed.is_empty(), "{printed}");
    printed
}

/// The newest build of the library, which cargo made or checked for this test.
fn newest_library(folder: &Path) -> PathBuf {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let libraries = files.filter(|file| {
        let name = file.file_name().into_string().unwrap();
        name.starts_with("libsse_core-") && name.ends_with(".rlib")
    });
    libraries.max_by_key(|file| file.metadata().unwrap().modified().unwrap()).expect("a library").path()
}

fn compiles(bodies: &[&str]) {
    for body in bodies {
        assert_eq!(compiler_prints(body), "", "{body}");
    }
}

fn fails_with(body: &str, parts: &[&str]) {
    let printed = compiler_prints(body);
    for part in parts {
        assert!(printed.contains(part), "{body} does not print {part:?}:\n{printed}");
    }
}

#[test]
fn subscribe_accepts_one_name_and_many() {
    compiles(&[
        r#"sse.subscribe(hub, "news")"#,
        r#"sse.subscribe(hub, format!("user/{}", 7))"#,
        r#"sse.subscribe(hub, &String::new())"#,
        r#"sse.subscribe(hub, ["news", &String::new()])"#,
        r#"sse.subscribe(hub, vec![String::new()])"#,
        r#"sse.subscribe(hub, &["news"])"#,
        r#"sse.subscribe(hub, &[String::new()][..])"#,
        r#"sse.subscribe(hub, (0..3).map(|n| n.to_string()))"#,
    ]);
    let parts = ["`{integer}` is neither the name of a topic nor a list of names", "pass one name, as `\"news\"`"];
    fails_with("sse.subscribe(hub, 7)", &parts);
}

#[test]
fn compile_error_for_a_receiver_names_receiver_stream() {
    fails_with(
        r#"sse.stream(Receiver("x"))"#,
        &["`Receiver<&str>` is not a stream of events", "`ReceiverStream::new(receiver)`"],
    );
    // The message about a wrong item remains.
    fails_with("sse.stream(StreamSource(7))", &["`{integer}` is not something an event stream can send"]);
    compiles(&[r#"sse.stream(StreamSource("x"))"#, r#"sse.stream(StreamSource(Ok::<_, String>("x")))"#]);
}

#[test]
fn stream_expires_at_a_moment_on_either_clock() {
    compiles(&[
        "sse.expires_at(Instant::now() + Duration::from_secs(60))",
        "sse.expires_at(SystemTime::now())",
        "sse.expires_at(UnixSeconds(1_900_000_000))",
    ]);
    fails_with("sse.expires_at(1_900_000_000u64)", &["`u64` is not a moment", "pass `UnixSeconds(exp)`"]);
    fails_with("sse.expires_at(Duration::from_secs(60))", &["`Duration` is not a moment", "`max_lifetime(duration)`"]);
}

#[test]
fn event_of_a_local_text_becomes_owned() {
    compiles(&[
        "let f = |n: u32| -> Event<'static> { let text = n.to_string(); Event::data(&text).into_owned() }",
        "let f = |n: u32| -> Event<'static> { let text = n.to_string(); Event::data(text) }",
    ]);
}
