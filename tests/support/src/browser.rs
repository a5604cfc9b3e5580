//! Headless Chromium, driven over its DevTools protocol.

use crate::{Missing, Result, eventually};
use chromiumoxide::browser::BrowserConfig;
use chromiumoxide::cdp::browser_protocol::browser::BrowserContextId;
use chromiumoxide::cdp::browser_protocol::emulation::{
    MediaFeature, SetDeviceMetricsOverrideParams, SetEmulatedMediaParams,
};
use chromiumoxide::cdp::browser_protocol::network;
use chromiumoxide::cdp::browser_protocol::page::{CaptureScreenshotFormat, ReloadParams};
use chromiumoxide::cdp::browser_protocol::target::{CreateBrowserContextParams, CreateTargetParams};
use chromiumoxide::detection::{DetectionOptions, default_executable};
use chromiumoxide::page::ScreenshotParams;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long the browser may take to end by itself, before it is killed by its own process id.
const PATIENCE: Duration = Duration::from_secs(5);

/// A browser with a profile of its own, which goes with it.
#[derive(Debug)]
pub struct Chromium {
    browser: Mutex<chromiumoxide::Browser>,
    events: JoinHandle<()>,
    profile: TempDir,
}

impl Chromium {
    /// Where the browser is, by `CHROME`, `PATH`, or where the system installs it.
    ///
    /// # Errors
    /// There is none.
    pub fn find() -> Result<PathBuf, Missing> {
        default_executable(DetectionOptions::default()).map_err(|_| Missing("chromium".to_owned()))
    }

    /// Starts the browser.
    ///
    /// # Errors
    /// There is none, or it does not answer within 30 s.
    pub async fn start() -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let config = BrowserConfig::builder()
            .chrome_executable(Self::find()?)
            .user_data_dir(profile.path())
            .new_headless_mode()
            .launch_timeout(Duration::from_secs(30))
            .request_timeout(Duration::from_secs(30))
            // Each page says its own size.
            .viewport(None)
            .window_size(1280, 900)
            // The tests run as root in containers, and open nothing but pages of ours.
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

    /// Opens a page in a context of its own: neither cookies nor connections are shared with another one.
    ///
    /// # Errors
    /// The page cannot be loaded.
    pub async fn open(&self, url: &str) -> Result<Page> {
        let browser = self.browser.lock().await;
        let context = browser.create_browser_context(CreateBrowserContextParams::default()).await?;
        let page = Self::page(&browser, "about:blank", context.clone()).await?;
        page.goto(url).await?;
        Ok(Page { page, context })
    }

    /// Opens another page beside this one, as a second tab of the same reader.
    ///
    /// # Errors
    /// The page cannot be loaded.
    pub async fn open_beside(&self, page: &Page, url: &str) -> Result<Page> {
        let context = page.context.clone();
        let page = Self::page(&*self.browser.lock().await, url, context.clone()).await?;
        Ok(Page { page, context })
    }

    async fn page(
        browser: &chromiumoxide::Browser,
        url: &str,
        context: BrowserContextId,
    ) -> Result<chromiumoxide::Page> {
        let target = CreateTargetParams::builder().url(url).browser_context_id(context).build()?;
        Ok(browser.new_page(target).await?)
    }

    /// Ends the browser, and with it every page; kills it if it does not end by itself.
    pub async fn stop(self) {
        let mut browser = self.browser.into_inner();
        let ended = timeout(PATIENCE, async { browser.close().await.is_ok() && browser.wait().await.is_ok() });
        if !matches!(ended.await, Ok(true)) {
            let _ = timeout(PATIENCE, browser.kill()).await;
        }
        self.events.abort();
        drop(self.profile);
    }
}

/// A page that is open in the browser.
#[derive(Debug)]
pub struct Page {
    page: chromiumoxide::Page,
    context: BrowserContextId,
}

impl Page {
    /// The value of a JavaScript expression; a promise is awaited.
    ///
    /// # Errors
    /// It throws, or is of another type.
    pub async fn eval<T: DeserializeOwned>(&self, expression: &str) -> Result<T> {
        Ok(self.page.evaluate(expression).await.map_err(|error| format!("{expression}: {error}"))?.into_value()?)
    }

    /// Runs JavaScript for what it does.
    ///
    /// # Errors
    /// It throws.
    pub async fn run(&self, statements: &str) -> Result {
        self.page.evaluate(statements).await.map_err(|error| format!("{statements}: {error}"))?;
        Ok(())
    }

    /// Waits until a JavaScript expression is true, for at most this long.
    ///
    /// # Errors
    /// Time is up, and the error shows the text of the page; or the expression throws.
    pub async fn wait(&self, condition: &str, bound: Duration) -> Result {
        let question = format!("Boolean({condition})");
        match eventually(condition, bound, || self.eval::<bool>(&question)).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let text: String = self.eval("document.body.innerText").await.unwrap_or_default();
                Err(format!("{error}\nthe page shows:\n{text}").into())
            }
        }
    }

    /// Loads the page anew.
    ///
    /// # Errors
    /// It cannot be loaded.
    pub async fn reload(&self) -> Result {
        self.page.execute(ReloadParams::default()).await?;
        self.page.wait_for_navigation().await?;
        Ok(())
    }

    /// Takes the page's network away, or gives it back. A connection that is open stays so; a
    /// [`Cable`](crate::cable::Cable) is what can be cut.
    ///
    /// # Errors
    /// The browser refuses.
    pub async fn offline(&self, offline: bool) -> Result {
        self.page.execute(network::EnableParams::default()).await?;
        let everything = network::NetworkConditions::new("", 0.0, -1.0, -1.0);
        let conditions = network::EmulateNetworkConditionsByRuleParams::builder()
            .offline(offline)
            .matched_network_condition(everything)
            .build()?;
        self.page.execute(conditions).await?;
        // And what `navigator.onLine` says.
        self.page.execute(network::OverrideNetworkStateParams::new(offline, 0.0, -1.0, -1.0)).await?;
        Ok(())
    }

    /// Gives the page this size in CSS pixels, each of them `scale` pixels wide.
    ///
    /// # Errors
    /// The browser refuses.
    pub async fn resize(&self, width: u32, height: u32, scale: f64) -> Result {
        let phone = width < 600;
        let metrics = SetDeviceMetricsOverrideParams::new(i64::from(width), i64::from(height), scale, phone);
        self.page.execute(metrics).await?;
        Ok(())
    }

    /// Makes the reader one who prefers `light` or `dark`.
    ///
    /// # Errors
    /// The browser refuses.
    pub async fn prefer(&self, scheme: &str) -> Result {
        let feature = MediaFeature::new("prefers-color-scheme", scheme);
        self.page.execute(SetEmulatedMediaParams::builder().feature(feature).build()).await?;
        Ok(())
    }

    /// Takes a picture of the page, for a person to look at: `target/screenshots/NAME.png`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn picture(&self, name: &str) -> Result {
        let program = std::env::current_exe()?;
        // A test is `target/PROFILE/deps/TEST`, wherever cargo was told to have its target.
        let target = program.ancestors().nth(3).ok_or("a test that cargo has not built")?;
        let folder = target.join("screenshots");
        std::fs::create_dir_all(&folder)?;
        self.screenshot(&folder.join(format!("{name}.png"))).await
    }

    /// Writes what the page shows to a PNG file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn screenshot(&self, file: &Path) -> Result {
        let png = ScreenshotParams::builder().format(CaptureScreenshotFormat::Png).build();
        self.page.save_screenshot(png, file).await?;
        Ok(())
    }

    /// Closes the page, and with it its connections.
    ///
    /// # Errors
    /// The browser refuses.
    pub async fn close(self) -> Result {
        self.page.close().await?;
        Ok(())
    }
}
