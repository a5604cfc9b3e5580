//! Runs of the example `completions`, read by the official clients of each dialect. `.ci/run` installs them.

use serde_json::Value;
use sse_test_support::http::Reader;
use sse_test_support::process::Server;
use sse_test_support::trials::Trials;
use sse_test_support::{Missing, Result, need};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::process::Command;

/// The longest wait for a result. An answer takes about four seconds. The machine may be busy.
const SOON: Duration = Duration::from_secs(30);

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/dialects");

fn main() -> ExitCode {
    let mut trials = Trials::that_wait();
    trials.add("event_source::a_client_leaves_and_another_one_receives_the_whole_answer_and_the_end", async || {
        let server = start().await?;
        let id = begin(&server).await?;
        let url = format!("{}/runs/{id}", server.url());
        let mut left = Reader::open(&url).await?;
        while left.data_of("token").count() < 5 {
            left.next(SOON).await?;
        }
        drop(left);
        let mut reader = Reader::open(&url).await?;
        reader.to_end(SOON).await?;
        let text: Vec<String> = reader.data_of("token").map(serde_json::from_str).collect::<Result<_, _>>()?;
        assert_eq!(text.concat(), expected());
        assert_eq!(reader.data_of("done").collect::<Vec<_>>(), ["{}"]);
        Ok(())
    });
    trials.add("event_source::stop_ends_the_run_for_every_client", async || {
        let server = start().await?;
        let id = begin(&server).await?;
        let url = format!("{}/runs/{id}", server.url());
        let mut reader = Reader::open(&url).await?;
        assert_eq!(reqwest::Client::new().delete(&url).send().await?.status(), 204);
        reader.to_end(SOON).await?;
        assert_eq!(reader.data_of("stopped").collect::<Vec<_>>(), [r#"{"reason":"requested"}"#]);
        assert_eq!(reqwest::Client::new().delete(&url).send().await?.status(), 404);
        assert_eq!(reqwest::get(format!("{}/runs/unknown", server.url())).await?.status(), 404);
        Ok(())
    });
    trials.add("openai::python_sdk_reads_attaches_and_sees_the_stop", async || {
        let python = installed("venv/bin/python", "the Python package openai")?;
        let mut import = Command::new(&python);
        import.args(["-c", "import openai"]).stderr(std::process::Stdio::null());
        if !import.status().await?.success() {
            return Err(missing("the Python package openai").into());
        }
        completions(Command::new(python), "completions.py").await
    });
    trials.add("openai::node_sdk_reads_attaches_and_sees_the_stop", async || {
        need("node")?;
        installed("node_modules/openai/package.json", "the Node package openai")?;
        completions(Command::new("node"), "completions.mjs").await
    });
    trials.add("vercel::ai_sdk_reads_resumes_and_receives_204_after_the_end", async || {
        need("node")?;
        installed("node_modules/ai/package.json", "the Node package ai")?;
        let server = start().await?;
        let read = client(Command::new("node"), "chat.mjs", &server).await?;
        for field in ["whole", "next"] {
            assert_eq!(read[field], expected(), "{field}");
        }
        assert_eq!(read["attached"], Value::from([expected(), expected()].to_vec()));
        // The SDK returns `null` for 204.
        assert_eq!((&read["after"], &read["unknown"]), (&Value::Null, &Value::Null));
        assert_eq!(read["busy"], 409);
        assert_eq!(read["last"], "abort");
        assert_eq!(read["headers"], Value::from(["v1"; 6].to_vec()));
        let after = reqwest::get(format!("{}/api/chat/one/stream", server.url())).await?;
        assert_eq!(after.status(), 204);
        Ok(())
    });
    trials.run()
}

async fn completions(command: Command, script: &str) -> Result {
    let server = start().await?;
    let read = client(command, script, &server).await?;
    for field in ["whole", "attached", "late"] {
        assert_eq!(read[field], expected(), "{field}");
    }
    assert_eq!(read["reason"], "stop");
    assert!(read["error"].as_str().is_some_and(|error| error.contains("the answer was stopped")), "{read}");
    Ok(())
}

/// The answer of the example to the prompt of all scripts.
fn expected() -> String {
    include_str!("../../completions/answer.txt").trim_end().replace("{prompt}", "Why?")
}

async fn start() -> Result<Server> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_example-completions"));
    command.args(["--listen", "127.0.0.1:0"]);
    Server::start(command).await
}

/// Starts a run and returns the ID.
async fn begin(server: &Server) -> Result<String> {
    let started = reqwest::Client::new().post(format!("{}/runs?prompt=Why%3F", server.url())).send().await?;
    Ok(started.error_for_status()?.text().await?)
}

/// A file of the folder into which `.ci/run` installs the clients.
fn installed(file: &str, package: &str) -> Result<PathBuf, Missing> {
    let path = sdks().join(file);
    if path.exists() { Ok(path) } else { Err(missing(package)) }
}

fn missing(package: &str) -> Missing {
    Missing(format!("{package} in target/sdks, where `.ci/run` installs it"))
}

fn sdks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/sdks")
}

/// Runs a script with the URL of the server, and returns the JSON that the script prints.
async fn client(mut command: Command, script: &str, server: &Server) -> Result<Value> {
    command.arg(Path::new(FOLDER).join(script)).arg(server.url()).current_dir(sdks()).kill_on_drop(true);
    // An environment of the developer must not change the target of the SDK.
    command.env_remove("OPENAI_BASE_URL").env("NO_PROXY", "127.0.0.1");
    let output = tokio::time::timeout(SOON * 2, command.output()).await??;
    if !output.status.success() {
        return Err(format!("{script}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
