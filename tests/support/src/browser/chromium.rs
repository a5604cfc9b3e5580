//! Headless Chromium, driven by the [DevTools protocol](https://chromedevtools.github.io/devtools-protocol/).

use super::protocol::{Protocol, address, end};
use super::within;
use crate::{Result, find};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Stdio;
use tempfile::TempDir;
use tokio::process::{Child, Command};

const ARGUMENTS: [&str; 18] = [
    "--headless=new",
    "--remote-debugging-port=0",
    // `Page::resize` sets the size of a page.
    "--window-size=1280,900",
    // The tests run as root in containers, and open only pages of these tests.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--no-first-run",
    // The proxies and servers of these tests make their own certificates.
    "--ignore-certificate-errors",
    // No page is throttled because another one is in front.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    // No update, report or list leaves the machine.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--metrics-recording-only",
];

#[derive(Debug)]
pub(super) struct Chromium {
    protocol: Protocol,
    child: Child,
    /// The folder is deleted when this value is dropped.
    _profile: TempDir,
}

impl Chromium {
    /// The browser that `CHROME` names, or one in `PATH`.
    fn find() -> Result<PathBuf> {
        match std::env::var_os("CHROME") {
            Some(path) => Ok(path.into()),
            None => Ok(find(&["chromium", "google-chrome-stable", "google-chrome", "chromium-browser"])?),
        }
    }

    pub(super) async fn start() -> Result<Self> {
        let chromium = Self::find()?;
        let profile = tempfile::tempdir()?;
        let mut child = Command::new(chromium)
            .args(ARGUMENTS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stderr = child.stderr.take().ok_or("no standard error")?;
        let address = address(stderr, "DevTools listening on ");
        let protocol = within("Chromium listens", async {
            Protocol::connect(&address.await.map_err(|_| "Chromium ended without listening")?).await
        });
        Ok(Self { protocol: protocol.await?, child, _profile: profile })
    }

    pub(super) async fn open(&self, url: &str) -> Result<Page> {
        let browser = &self.protocol;
        let context = browser.send("Target.createBrowserContext", json!({})).await?["browserContextId"].take();
        let target = json!({ "url": "about:blank", "browserContextId": context });
        let target = browser.send("Target.createTarget", target).await?["targetId"].take();
        let attach = json!({ "targetId": target, "flatten": true });
        let session = browser.send("Target.attachToTarget", attach).await?["sessionId"].take();
        let session = browser.session(session.as_str().ok_or("no session")?);
        session.send("Page.enable", json!({})).await?;
        let page = Page { browser: browser.clone(), context, session };
        page.load("Page.navigate", json!({ "url": url })).await?;
        Ok(page)
    }

    pub(super) async fn stop(self) {
        end(self.child, self.protocol.send("Browser.close", json!({}))).await;
    }
}

#[derive(Debug)]
pub(super) struct Page {
    browser: Protocol,
    context: Value,
    session: Protocol,
}

impl Page {
    pub(super) async fn eval(&self, expression: &str) -> Result<Value> {
        Ok(self.evaluate(expression, true).await?["value"].take())
    }

    pub(super) async fn run(&self, statements: &str) -> Result {
        self.evaluate(statements, false).await?;
        Ok(())
    }

    async fn evaluate(&self, expression: &str, by_value: bool) -> Result<Value> {
        let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": by_value });
        let mut answer = self.session.send("Runtime.evaluate", params).await?;
        match answer.get("exceptionDetails") {
            Some(exception) => Err(exception["exception"]["description"].as_str().unwrap_or("an exception").into()),
            None => Ok(answer["result"].take()),
        }
    }

    pub(super) async fn reload(&self) -> Result {
        self.load("Page.reload", json!({})).await
    }

    /// Sends a command that loads a document, and waits until the document is loaded.
    async fn load(&self, method: &'static str, params: Value) -> Result {
        let loaded = self.session.event("Page.loadEventFired")?;
        match self.session.send(method, params).await?["errorText"].as_str() {
            Some(error) => Err(error.into()),
            None => loaded.await,
        }
    }

    pub(super) async fn offline(&self, offline: bool) -> Result {
        self.session.send("Network.enable", json!({})).await?;
        let unlimited = json!({ "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        let mut everything = unlimited.clone();
        everything["urlPattern"] = json!("");
        let conditions = json!({ "offline": offline, "matchedNetworkConditions": [everything] });
        self.session.send("Network.emulateNetworkConditionsByRule", conditions).await?;
        // The value of `navigator.onLine`.
        let mut state = unlimited;
        state["offline"] = json!(offline);
        self.session.send("Network.overrideNetworkState", state).await?;
        Ok(())
    }

    pub(super) async fn resize(&self, width: u32, height: u32, scale: f64) -> Result {
        let phone = width < 600;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone });
        self.session.send("Emulation.setDeviceMetricsOverride", metrics).await?;
        Ok(())
    }

    pub(super) async fn prefer(&self, scheme: &str) -> Result {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.session.send("Emulation.setEmulatedMedia", json!({ "features": features })).await?;
        Ok(())
    }

    pub(super) async fn screenshot(&self) -> Result<Vec<u8>> {
        let answer = self.session.send("Page.captureScreenshot", json!({ "format": "png" })).await?;
        Ok(BASE64_STANDARD.decode(answer["data"].as_str().ok_or("no picture")?)?)
    }

    pub(super) async fn close(self) -> Result {
        self.browser.send("Target.disposeBrowserContext", json!({ "browserContextId": self.context })).await?;
        Ok(())
    }
}
