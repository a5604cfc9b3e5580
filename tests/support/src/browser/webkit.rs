//! WebKitGTK's MiniBrowser in an Xvfb, driven by [WebDriver](https://www.w3.org/TR/webdriver2/).

use super::within;
use crate::{Result, eventually, find};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A screen on which pages open. WebKitGTK's driver has one session, so each page is a browser of its own.
#[derive(Debug)]
pub(super) struct WebKit {
    driver: PathBuf,
    screen: Child,
    display: String,
    home: TempDir,
    port: AtomicU16,
}

impl WebKit {
    pub(super) async fn start() -> Result<Self> {
        let driver = find(&["WebKitWebDriver"])?;
        let mut screen = Command::new(find(&["Xvfb"])?)
            .args(["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = screen.stdout.take().ok_or("no standard output")?;
        let number = within("Xvfb has a display", async {
            Ok(BufReader::new(stdout).lines().next_line().await?.ok_or("Xvfb ended without a display")?)
        });
        let display = format!(":{}", number.await?);
        Ok(Self { driver, screen, display, home: tempfile::tempdir()?, port: AtomicU16::new(4444) })
    }

    pub(super) async fn open(&self, url: &str) -> Result<Page> {
        let session = within("WebKit starts", self.session()).await?;
        session.command(Method::POST, "/url", json!({ "url": url })).await?;
        Ok(Page(Some(session)))
    }

    async fn session(&self) -> Result<Session> {
        let (host, port) = (loopback_of_this_process(), self.port.fetch_add(1, Ordering::Relaxed));
        let home = self.home.path();
        let driver = Command::new(&self.driver)
            .args([format!("--host={host}"), format!("--port={port}")])
            .env_remove("WAYLAND_DISPLAY")
            .env("DISPLAY", &self.display)
            .envs(["HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"].map(|name| (name, home)))
            .env("XDG_RUNTIME_DIR", home)
            .env("GDK_BACKEND", "x11")
            .env("GSETTINGS_BACKEND", "memory")
            .env("NO_AT_BRIDGE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let client = Client::builder().no_proxy().build()?;
        let mut session = Session { client, url: format!("http://{host}:{port}"), _driver: driver };
        let listens = async || Ok(session.client.get(format!("{}/status", session.url)).send().await.is_ok());
        eventually("WebKitWebDriver listens", super::PATIENCE, listens).await?;
        let opened = session.command(Method::POST, "/session", json!({ "capabilities": {} })).await?;
        let id = opened["sessionId"].as_str().ok_or("a session without ID")?;
        session.url = format!("{}/session/{id}", session.url);
        Ok(session)
    }

    /// A browser without a screen ends, also a browser whose page was not closed.
    pub(super) async fn stop(mut self) {
        let _ = self.screen.kill().await;
    }
}

/// The driver neither picks a free port nor prints one. So each process of tests has a loopback address of its own, on
/// which nothing else listens. A process ID has at most 22 bits.
fn loopback_of_this_process() -> String {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    // Not 127.0.0.0/16, where all other servers are.
    format!("127.{}.{middle}.{low}", u16::from(high) + 100)
}

/// A browser with its driver.
#[derive(Debug)]
struct Session {
    client: Client,
    url: String,
    _driver: Child,
}

impl Session {
    async fn command(&self, method: Method, path: &str, body: Value) -> Result<Value> {
        let request = self.client.request(method.clone(), format!("{}{path}", self.url));
        let request = if method == Method::POST { request.json(&body) } else { request };
        let answer = async { Ok(request.send().await?.json::<Value>().await?) };
        let value = within(path, answer).await?["value"].take();
        // Only an error has this member; the value of a script is in an array.
        match value.get("error") {
            Some(error) => Err(format!("{error}: {}", value["message"]).into()),
            None => Ok(value),
        }
    }
}

/// A page, until it is closed.
#[derive(Debug)]
pub(super) struct Page(Option<Session>);

impl Page {
    pub(super) async fn eval(&self, expression: &str) -> Result<Value> {
        let script = format!(
            "const done = arguments[0];
             (async () => ({expression}))().then((value) => done([value]), (error) => done([null, String(error)]))"
        );
        let mut answer = self.command("/execute/async", &script).await?;
        match answer[1].as_str() {
            Some(error) => Err(error.into()),
            None => Ok(answer[0].take()),
        }
    }

    pub(super) async fn run(&self, statements: &str) -> Result {
        self.command("/execute/sync", statements).await?;
        Ok(())
    }

    async fn command(&self, path: &str, script: &str) -> Result<Value> {
        self.session()?.command(Method::POST, path, json!({ "script": script, "args": [] })).await
    }

    pub(super) async fn reload(&self) -> Result {
        self.session()?.command(Method::POST, "/refresh", json!({})).await?;
        Ok(())
    }

    pub(super) async fn screenshot(&self) -> Result<Vec<u8>> {
        let picture = self.session()?.command(Method::GET, "/screenshot", Value::Null).await?;
        Ok(BASE64_STANDARD.decode(picture.as_str().ok_or("no picture")?)?)
    }

    pub(super) async fn close(mut self) -> Result {
        let session = self.0.take().ok_or("closed")?;
        session.command(Method::DELETE, "", Value::Null).await?;
        Ok(())
    }

    fn session(&self) -> Result<&Session> {
        Ok(self.0.as_ref().ok_or("closed")?)
    }
}

impl Drop for Page {
    /// The browser of a failed test would otherwise run on beside the other tests.
    fn drop(&mut self) {
        if let (Some(session), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { session.command(Method::DELETE, "", Value::Null).await });
        }
    }
}
