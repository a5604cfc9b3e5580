//! The examples over HTTP, and their pages in a browser. `news` has a separate suite.

mod chat;
mod cluster;
mod completions;
mod custom_server;
mod fragments;
mod monitor;
mod proxy;
mod tutorial;

use sse_test_support::browser::Page;
use sse_test_support::process::Server;
use sse_test_support::trials::Trials;
use sse_test_support::{Result, eventually, need};
use std::process::ExitCode;
use std::time::Duration;
use tokio::process::Command;

/// The longest wait for a result that should be immediate. The machine may be busy.
const SOON: Duration = Duration::from_secs(30);

/// A browser waits 3 s before it reconnects, or up to 5 s after a drain, and may need a second attempt.
const BACK: Duration = Duration::from_secs(20);

const LIVE: &str = "document.body.dataset.state === 'live'";

fn main() -> ExitCode {
    let mut trials = Trials::new();
    chat::add(&mut trials);
    cluster::add(&mut trials);
    completions::add(&mut trials);
    custom_server::add(&mut trials);
    fragments::add(&mut trials);
    monitor::add(&mut trials);
    proxy::add(&mut trials);
    tutorial::add(&mut trials);
    #[cfg(unix)]
    for (name, program) in PROGRAMS {
        trials.add(format!("{name}::sigterm_ends_the_server_with_a_client_connected"), async move || {
            let server = start(program, &extra(name)).await?;
            let path = match name {
                "completions" => "/work",
                "tutorial_axum" | "tutorial_actix" | "tutorial_warp" => "/news",
                _ => "/events",
            };
            let request = reqwest::Client::new().get(format!("{}{path}", server.url()));
            let request = request.header("accept", "text/event-stream");
            let mut response = request.send().await?;
            let (status, took) = server.terminate().await?;
            assert!(status.success(), "{status}");
            assert!(took < Duration::from_secs(5), "{took:?}");
            // The stream has a normal end.
            while response.chunk().await?.is_some() {}
            Ok(())
        });
    }
    for (name, program) in PROGRAMS {
        trials.add(format!("{name}::page_loads_nothing_from_other_servers"), async move || {
            let server = start(program, &extra(name)).await?;
            let response = reqwest::get(server.url()).await?;
            let kind = response.headers().get("content-type").and_then(|value| value.to_str().ok());
            assert_eq!(kind, Some("text/html; charset=utf-8"));
            let page = response.text().await?;
            for elsewhere in ["url(", "@import", "https://", "innerHTML", "=\"http:", "document.write"] {
                assert!(!page.contains(elsewhere), "{elsewhere}");
            }
            Ok(())
        });
    }
    trials.run()
}

const PROGRAMS: [(&str, &str); 10] = [
    ("chat", env!("CARGO_BIN_EXE_example-chat")),
    ("cluster", env!("CARGO_BIN_EXE_example-cluster")),
    ("completions", env!("CARGO_BIN_EXE_example-completions")),
    ("custom_server", env!("CARGO_BIN_EXE_example-custom-server")),
    ("fragments", env!("CARGO_BIN_EXE_example-fragments")),
    ("monitor", env!("CARGO_BIN_EXE_example-monitor")),
    ("proxy", env!("CARGO_BIN_EXE_example-proxy")),
    ("tutorial_actix", tutorial::ACTIX),
    ("tutorial_axum", tutorial::AXUM),
    ("tutorial_warp", tutorial::WARP),
];

/// The proxy also runs without a server upstream.
fn extra(name: &str) -> Vec<&'static str> {
    if name == "proxy" { vec!["--upstream", "http://127.0.0.1:9/"] } else { Vec::new() }
}

/// Starts an example on a free port.
async fn start(program: &str, args: &[&str]) -> Result<Server> {
    start_at(program, "127.0.0.1:0", args).await
}

async fn start_at(program: &str, address: &str, args: &[&str]) -> Result<Server> {
    if program == cluster::PROGRAM {
        need("redis-server")?;
    }
    let mut command = Command::new(program);
    command.args(["--listen", address]).args(args);
    Server::start(command).await
}

/// Waits until the text of this element contains these words.
async fn shows(page: &Page, selector: &str, words: &str) -> Result {
    let (selector, words) = (serde_json::Value::from(selector), serde_json::Value::from(words));
    page.wait(&format!("document.querySelector({selector})?.textContent.includes({words})"), SOON).await
}

/// Waits until the answer of a URL contains these words.
async fn answers(url: String, words: &str) -> Result {
    let question = async || Ok(reqwest::get(&url).await?.text().await?.contains(words));
    eventually(words, SOON, question).await
}
