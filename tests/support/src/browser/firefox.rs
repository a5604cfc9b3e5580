//! Headless Firefox, driven by WebDriver BiDi.

use super::protocol::{Protocol, address, end};
use super::within;
use crate::{Result, find};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Everything but the loopback goes to a proxy that does not exist. So no update, report or list leaves the machine.
const PREFERENCES: &str = r#"user_pref("network.proxy.type", 1);
user_pref("network.proxy.http", "127.0.0.1");
user_pref("network.proxy.http_port", 9);
user_pref("network.proxy.ssl", "127.0.0.1");
user_pref("network.proxy.ssl_port", 9);
"#;

#[derive(Debug)]
pub(super) struct Firefox {
    bidi: Protocol,
    child: Child,
    /// The folder is deleted when this value is dropped.
    _profile: TempDir,
}

impl Firefox {
    pub(super) async fn start() -> Result<Self> {
        let firefox = find(&["firefox-esr", "firefox"])?;
        let profile = tempfile::tempdir()?;
        std::fs::write(profile.path().join("user.js"), PREFERENCES)?;
        let mut child = Command::new(firefox)
            .args(["--headless", "--no-remote", "--remote-debugging-port", "0", "--profile"])
            .arg(profile.path())
            .env("HOME", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stderr = child.stderr.take().ok_or("no standard error")?;
        let address = address(stderr, "WebDriver BiDi listening on ");
        let bidi = within("Firefox listens", async {
            let address = address.await.map_err(|_| "Firefox ended without listening")?;
            let bidi = Protocol::connect(&format!("{address}/session")).await?;
            bidi.send("session.new", json!({ "capabilities": {} })).await?;
            Ok(bidi)
        });
        let bidi = bidi.await?;
        Ok(Self { bidi, child, _profile: profile })
    }

    /// Opens a page in a new user context and a new window, because hidden tabs are throttled.
    pub(super) async fn open(&self, url: &str) -> Result<Page> {
        let context = self.bidi.send("browser.createUserContext", json!({})).await?["userContext"].take();
        let window = json!({ "type": "window", "userContext": context });
        let page = self.bidi.send("browsingContext.create", window).await?["context"].take();
        let page = Page { bidi: self.bidi.clone(), context, page };
        page.command("browsingContext.navigate", json!({ "url": url, "wait": "complete" })).await?;
        Ok(page)
    }

    pub(super) async fn stop(self) {
        end(self.child, self.bidi.send("browser.close", json!({}))).await;
    }
}

#[derive(Debug)]
pub(super) struct Page {
    bidi: Protocol,
    context: Value,
    page: Value,
}

impl Page {
    /// The expression returns JSON text, so that no code is needed for BiDi's types of values.
    pub(super) async fn eval(&self, expression: &str) -> Result<Value> {
        let text = self.evaluate(&format!("(async () => JSON.stringify(await ({expression})))()")).await?;
        Ok(text.as_str().map_or(Ok(Value::Null), serde_json::from_str)?)
    }

    pub(super) async fn run(&self, statements: &str) -> Result {
        self.evaluate(statements).await?;
        Ok(())
    }

    async fn evaluate(&self, expression: &str) -> Result<Value> {
        let target = json!({ "context": self.page });
        let params = json!({ "expression": expression, "target": target, "awaitPromise": true });
        let mut answer = self.bidi.send("script.evaluate", params).await?;
        match answer["type"].as_str() {
            Some("success") => Ok(answer["result"]["value"].take()),
            _ => Err(answer["exceptionDetails"]["text"].as_str().unwrap_or("an exception").into()),
        }
    }

    pub(super) async fn reload(&self) -> Result {
        self.command("browsingContext.reload", json!({ "wait": "complete" })).await?;
        Ok(())
    }

    pub(super) async fn screenshot(&self) -> Result<Vec<u8>> {
        let answer = self.command("browsingContext.captureScreenshot", json!({})).await?;
        Ok(BASE64_STANDARD.decode(answer["data"].as_str().ok_or("no picture")?)?)
    }

    pub(super) async fn close(self) -> Result {
        self.bidi.send("browser.removeUserContext", json!({ "userContext": self.context })).await?;
        Ok(())
    }

    async fn command(&self, method: &'static str, mut params: Value) -> Result<Value> {
        params["context"] = self.page.clone();
        self.bidi.send(method, params).await
    }
}
