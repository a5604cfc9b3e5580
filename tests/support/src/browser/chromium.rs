//! Headless Chromium, driven over its DevTools protocol.

use super::PATIENCE;
use crate::{Missing, Result};
use chromiumoxide::browser::BrowserConfig;
use chromiumoxide::cdp::browser_protocol::emulation::{
    MediaFeature, SetDeviceMetricsOverrideParams, SetEmulatedMediaParams,
};
use chromiumoxide::cdp::browser_protocol::network;
use chromiumoxide::cdp::browser_protocol::page::{CaptureScreenshotFormat, ReloadParams};
use chromiumoxide::cdp::browser_protocol::target::{CreateBrowserContextParams, CreateTargetParams};
use chromiumoxide::detection::{DetectionOptions, default_executable};
use chromiumoxide::page::ScreenshotParams;
use futures_util::StreamExt;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long Chromium may take to end by itself before the process is killed.
const END: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Chromium {
    browser: Mutex<chromiumoxide::Browser>,
    events: JoinHandle<()>,
    profile: TempDir,
}

impl Chromium {
    /// The browser that `CHROME` names, or one in `PATH`, or one in a usual place of installation.
    fn find() -> Result<PathBuf, Missing> {
        default_executable(DetectionOptions::default()).map_err(|_| Missing("chromium".to_owned()))
    }

    pub(super) async fn start() -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let config = BrowserConfig::builder()
            .chrome_executable(Self::find()?)
            .user_data_dir(profile.path())
            .new_headless_mode()
            .launch_timeout(PATIENCE)
            .request_timeout(PATIENCE)
            // `Page::resize` sets the size of a page.
            .viewport(None)
            .window_size(1280, 900)
            // The tests run as root in containers, and open only pages of these tests.
            .no_sandbox()
            .args([
                "disable-gpu",
                "disable-quic",
                "disable-component-update",
                "disable-dev-shm-usage",
                "hide-scrollbars",
            ])
            .build()?;
        let (browser, mut handler) = chromiumoxide::Browser::launch(config).await?;
        let events = tokio::spawn(async move { while handler.next().await.is_some() {} });
        Ok(Self { browser: Mutex::new(browser), events, profile })
    }

    pub(super) async fn open(&self, url: &str) -> Result<Page> {
        let browser = self.browser.lock().await;
        let context = browser.create_browser_context(CreateBrowserContextParams::default()).await?;
        let target = CreateTargetParams::builder().url("about:blank").browser_context_id(context).build()?;
        let page = browser.new_page(target).await?;
        page.goto(url).await?;
        Ok(Page(page))
    }

    pub(super) async fn stop(self) {
        let mut browser = self.browser.into_inner();
        let ended = timeout(END, async { browser.close().await.is_ok() && browser.wait().await.is_ok() });
        if !matches!(ended.await, Ok(true)) {
            let _ = timeout(END, browser.kill()).await;
        }
        self.events.abort();
        drop(self.profile);
    }
}

#[derive(Debug)]
pub(super) struct Page(chromiumoxide::Page);

impl Page {
    pub(super) async fn eval(&self, expression: &str) -> Result<Value> {
        Ok(self.0.evaluate(expression).await?.value().cloned().unwrap_or_default())
    }

    pub(super) async fn run(&self, statements: &str) -> Result {
        self.0.evaluate(statements).await?;
        Ok(())
    }

    pub(super) async fn reload(&self) -> Result {
        self.0.execute(ReloadParams::default()).await?;
        self.0.wait_for_navigation().await?;
        Ok(())
    }

    pub(super) async fn offline(&self, offline: bool) -> Result {
        self.0.execute(network::EnableParams::default()).await?;
        let everything = network::NetworkConditions::new("", 0.0, -1.0, -1.0);
        let conditions = network::EmulateNetworkConditionsByRuleParams::builder()
            .offline(offline)
            .matched_network_condition(everything)
            .build()?;
        self.0.execute(conditions).await?;
        // The value of `navigator.onLine`.
        self.0.execute(network::OverrideNetworkStateParams::new(offline, 0.0, -1.0, -1.0)).await?;
        Ok(())
    }

    pub(super) async fn resize(&self, width: u32, height: u32, scale: f64) -> Result {
        let phone = width < 600;
        let metrics = SetDeviceMetricsOverrideParams::new(i64::from(width), i64::from(height), scale, phone);
        self.0.execute(metrics).await?;
        Ok(())
    }

    pub(super) async fn prefer(&self, scheme: &str) -> Result {
        let feature = MediaFeature::new("prefers-color-scheme", scheme);
        self.0.execute(SetEmulatedMediaParams::builder().feature(feature).build()).await?;
        Ok(())
    }

    pub(super) async fn screenshot(&self) -> Result<Vec<u8>> {
        Ok(self.0.screenshot(ScreenshotParams::builder().format(CaptureScreenshotFormat::Png).build()).await?)
    }

    pub(super) async fn close(self) -> Result {
        self.0.close().await?;
        Ok(())
    }
}
