//! The programs of `docs/publishing.md`, each as the document has it, as the user that the document creates.

use crate::model::{Node, sse};
use crate::server::{Server, lacks};
use futures_util::StreamExt;
use libtest_mimic::{Completion, Failed, Trial};
use sse_core::Event;
use sse_redis::Redis;
use sse_test_support::reader::{Habits, Reader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

const MOST: Duration = Duration::from_secs(30);

/// A language of the document: the name of its blocks, and the program that runs a block.
struct Language {
    name: &'static str,
    block: &'static str,
    /// Returns the program and its last argument before the file, or the reason why no program can run the block.
    program: fn() -> Result<PathBuf, String>,
    file: &'static str,
}

const LANGUAGES: [Language; 3] = [
    Language { name: "redis-cli", block: "sh", program: shell, file: "publish.sh" },
    Language { name: "Python", block: "python", program: python, file: "publish.py" },
    Language { name: "Node", block: "js", program: node, file: "publish.mjs" },
];

/// The folder into which the commands at the end of the document install the client libraries.
fn installed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/publishing")
}

fn shell() -> Result<PathBuf, String> {
    lacks("redis-cli", "--version").map_or(Ok("sh".into()), Err)
}

fn python() -> Result<PathBuf, String> {
    let own = installed().join("venv/bin/python");
    let python = if own.exists() { own } else { "python3".into() };
    let imports = std::process::Command::new(&python).args(["-c", "import redis"]).stderr(Stdio::null()).status();
    match imports {
        Ok(status) if status.success() => Ok(python),
        Ok(_) => Err("the package `redis` of Python is not installed".to_owned()),
        Err(error) => Err(format!("python3: {error}")),
    }
}

fn node() -> Result<PathBuf, String> {
    if let Some(reason) = lacks("node", "--version") {
        return Err(reason);
    }
    let library = installed().join("node_modules/redis/package.json");
    if library.exists() { Ok("node".into()) } else { Err("the package `redis` of npm is not installed".to_owned()) }
}

/// The first block of this language in the document.
fn block(language: &str) -> String {
    let document = document();
    let (_, rest) = document.split_once(&format!("```{language}\n")).expect("a block of this language");
    rest.split_once("```").expect("its end").0.to_owned()
}

fn document() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/publishing.md")).expect("the document")
}

pub(crate) fn trials(missing: Option<&str>, in_ci: bool) -> impl Iterator<Item = Trial> {
    let missing = missing.map(str::to_owned);
    LANGUAGES.into_iter().map(move |language| {
        let missing = missing.clone();
        Trial::ignorable_test(format!("publishing with {}", language.name), move || {
            let program = missing.map_or_else(language.program, Err);
            match program {
                Ok(program) => {
                    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
                    let all = async { timeout(4 * MOST, publishes(&language, &program)).await };
                    runtime.block_on(all).expect("it ends in time");
                    Ok(Completion::Completed)
                }
                Err(reason) if in_ci => Err(Failed::from(reason)),
                Err(reason) => Ok(Completion::ignored_with(reason)),
            }
        })
    })
}

async fn publishes(language: &Language, program: &Path) {
    let server = Server::start(false);
    let document = document();
    let line = document.lines().find(|line| line.starts_with("ACL SETUSER publisher on ")).expect("the line");
    let line = line.replace("PASSWORD", "secret").replace("NAME", "news");
    let answer = server.cli(&line.split(' ').collect::<Vec<_>>());
    assert!(answer.starts_with("+OK"), "{answer}");
    let url = format!("redis://publisher:secret@{}", server.address());

    // Modules of Node are searched for beside the file.
    let folder = if language.block == "js" { installed() } else { server.dir.clone() };
    let name = format!("{}-{}", std::process::id(), language.file);
    let file = folder.join(name);
    std::fs::write(&file, block(language.block)).expect("the file");
    let run = async || {
        let mut command = Command::new(program);
        command.arg(&file).env("REDIS_URL", &url).stdin(Stdio::null()).kill_on_drop(true);
        timeout(MOST, command.output()).await.expect("it ends in time").expect("it starts")
    };

    let without_log = run().await;
    let error = String::from_utf8_lossy(&without_log.stderr).into_owned();
    assert!(!without_log.status.success() && error.contains("the log does not exist"), "{error}");

    let node = Node::build(Redis::builder(&server.url()).log("news"));
    node.ready().await;
    let mut body = Box::pin(sse("").subscribe(&node.hub, ["news"]).into_response().into_body());
    let published = run().await;
    assert!(published.status.success(), "{}", String::from_utf8_lossy(&published.stderr));
    let _ = std::fs::remove_file(&file);
    assert!(server.cli(&["XLEN", "{news}:log"]).starts_with(":3"), "the first entry, and the event twice");
    node.redis.publish("news", Event::data("end")).await.expect("it is stored");

    let mut reader = Reader::with(Habits::BROWSERS[0]);
    let mut events = Vec::new();
    while events.last().is_none_or(|(_, data)| data != "end") {
        let chunk = timeout(MOST, body.next()).await.expect("an event in time").expect("the stream goes on");
        let dispatched = reader.dispatched(&chunk).into_iter().filter(|event| !event.is_reserved());
        events.extend(dispatched.map(|event| (event.event_type, event.data)));
    }
    let expected = [("article", r#"{"title":"Rain"}"#), ("message", "end")];
    assert_eq!(events, expected.map(|(event_type, data)| (event_type.to_owned(), data.to_owned())));
}
