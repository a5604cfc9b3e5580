//! Answers of a server whose engine is away, or whose engine never answers.

use super::engine::RedisServer;
use libtest_mimic::Failed;
use serde_json::{Value, json};
use sse_conformance::Target;
use sse_conformance::client::Request;
use sse_conformance::process::Server;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

type Rejection = fn() -> Result<(), Failed>;

pub(crate) const ALL: [(&str, Rejection); 3] = [
    ("a_publish_that_the_engine_cannot_take_is_503", engine_away),
    ("without_its_engine_a_server_does_not_listen", no_engine),
    ("what_is_no_engine_is_told", no_url),
];

fn publish(target: &Target, json: &Value) -> Result<(u16, Value), Failed> {
    let request = Request::new("POST", "/publish").header("content-type", "application/json").body(json.to_string());
    let response = target.read(&request)?;
    Ok((response.head.status, serde_json::from_slice(response.body())?))
}

fn server(redis: &str, log: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance-server"));
    command.args(["--adapter", "axum", "--redis", redis, "--log", log]);
    command
}

fn engine_away() -> Result<(), Failed> {
    let engine = RedisServer::start()?;
    let server = Server::start(&mut server(&engine.url(), "log"))?;
    let target = server.target();
    let event = json!({ "topic": "news", "data": "x" });
    let (status, answer) = publish(target, &event)?;
    assert_eq!((status, answer["ids"].as_array().map(Vec::len)), (200, Some(1)), "{answer}");
    let mut reader =
        target.ask(&Request::get("/topics?name=news&from=oldest").header("accept", "text/event-stream"))?;
    reader.read_events(1, Duration::from_secs(5))?;

    drop(engine);
    let begun = Instant::now();
    loop {
        let (status, answer) = publish(target, &json!([event, event]))?;
        assert!(answer["error"].as_str().is_some_and(|words| !words.is_empty()), "{answer}");
        assert_eq!(answer["ids"], json!([]), "{answer}");
        // The first publish to fail cannot know whether the event is stored.
        if status == 503 {
            break;
        }
        assert!(status == 504 && begun.elapsed() < Duration::from_secs(10), "{status} {answer}");
    }
    // The server must still report a wrong request, and keep its streams open.
    assert_eq!(publish(target, &json!([event, { "topic": "news", "event": "a\nb" }]))?.0, 400);
    let stats = target.stats()?;
    assert_eq!((&stats["streams"], &stats["published"]), (&json!(1), &json!(1)), "{stats}");
    Ok(())
}

/// Runs the command to its end, and returns standard error. The server must never listen.
fn refused(mut command: Command) -> Result<String, Failed> {
    let output = command.stdin(Stdio::null()).output()?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(output.stdout.is_empty(), "{words}");
    Ok(words)
}

fn no_engine() -> Result<(), Failed> {
    let words = refused(server("redis://127.0.0.1:1", "log"))?;
    assert!(words.contains("the log is not available: "), "{words}");
    Ok(())
}

fn no_url() -> Result<(), Failed> {
    let words = refused(server("http://127.0.0.1", "log"))?;
    assert!(words.contains("the URL or a certificate is invalid"), "{words}");
    let words = refused(server("redis://127.0.0.1:1", "{}"))?;
    assert!(words.contains("of the log is not 1 to 128 bytes"), "{words}");
    Ok(())
}
