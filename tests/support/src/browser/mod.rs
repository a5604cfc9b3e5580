//! Chromium, Firefox and WebKit behind one small interface, so that one test runs in all of them.

mod chromium;
mod firefox;
mod protocol;
mod webkit;

use crate::{Error, Result, eventually};
use chromium::Chromium;
use firefox::Firefox;
use serde::de::DeserializeOwned;
use std::path::Path;
use std::time::Duration;
use webkit::WebKit;

/// The bound on the start of a browser, and on its answer to one command. On a busy machine a browser starts slowly.
const PATIENCE: Duration = Duration::from_secs(100);

/// A browser engine that the tests know how to drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Engine {
    /// Chromium, by its DevTools protocol.
    Chromium,
    /// Firefox, by WebDriver BiDi, which Firefox speaks without a driver.
    Firefox,
    /// WebKit, as WebKitGTK has it, by WebDriver. WebKitGTK has no headless mode, so each browser brings an Xvfb.
    WebKit,
}

impl Engine {
    /// All engines. A test in each of them holds for nearly every browser that people use.
    pub const ALL: [Self; 3] = [Self::Chromium, Self::Firefox, Self::WebKit];

    /// The name of the engine in the name of a trial.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
            Self::WebKit => "webkit",
        }
    }
}

/// A running browser with a profile of its own, in a temporary directory.
#[derive(Debug)]
pub struct Browser(Running);

#[derive(Debug)]
enum Running {
    Chromium(Box<Chromium>),
    Firefox(Firefox),
    WebKit(WebKit),
}

impl Browser {
    /// Starts a browser of this engine.
    ///
    /// # Errors
    /// [`Missing`](crate::Missing) if the browser is not installed. Another error if the browser does not answer within 30 s.
    pub async fn start(engine: Engine) -> Result<Self> {
        Ok(Self(match engine {
            Engine::Chromium => Running::Chromium(Box::new(Chromium::start().await?)),
            Engine::Firefox => Running::Firefox(Firefox::start().await?),
            Engine::WebKit => Running::WebKit(WebKit::start().await?),
        }))
    }

    /// The engine of this browser.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.0 {
            Running::Chromium(_) => Engine::Chromium,
            Running::Firefox(_) => Engine::Firefox,
            Running::WebKit(_) => Engine::WebKit,
        }
    }

    /// Opens a page that shares neither cookies nor connections with another page.
    ///
    /// # Errors
    /// The browser cannot load the page.
    pub async fn open(&self, url: &str) -> Result<Page> {
        Ok(Page(match &self.0 {
            Running::Chromium(browser) => Open::Chromium(browser.open(url).await?),
            Running::Firefox(browser) => Open::Firefox(browser.open(url).await?),
            Running::WebKit(browser) => Open::WebKit(browser.open(url).await?),
        }))
    }

    /// Closes the browser and every page. A browser that does not end by itself is killed by its own process ID.
    pub async fn stop(self) {
        match self.0 {
            Running::Chromium(browser) => browser.stop().await,
            Running::Firefox(browser) => browser.stop().await,
            Running::WebKit(browser) => browser.stop().await,
        }
    }
}

/// An open page.
#[derive(Debug)]
pub struct Page(Open);

#[derive(Debug)]
enum Open {
    Chromium(chromium::Page),
    Firefox(firefox::Page),
    WebKit(webkit::Page),
}

impl Page {
    /// Returns the value of a JavaScript expression. A promise is awaited.
    ///
    /// # Errors
    /// The expression throws, or its value is of another type.
    pub async fn eval<T: DeserializeOwned>(&self, expression: &str) -> Result<T> {
        let value = match &self.0 {
            Open::Chromium(page) => page.eval(expression).await,
            Open::Firefox(page) => page.eval(expression).await,
            Open::WebKit(page) => page.eval(expression).await,
        };
        Ok(serde_json::from_value(value.map_err(|error| format!("{expression}: {error}"))?)?)
    }

    /// Runs JavaScript statements. A variable that they assign without declaring it belongs to the page.
    ///
    /// # Errors
    /// A statement throws.
    pub async fn run(&self, statements: &str) -> Result {
        let done = match &self.0 {
            Open::Chromium(page) => page.run(statements).await,
            Open::Firefox(page) => page.run(statements).await,
            Open::WebKit(page) => page.run(statements).await,
        };
        done.map_err(|error| format!("{statements}: {error}").into())
    }

    /// Waits until a JavaScript expression is true, for at most this long.
    ///
    /// # Errors
    /// The bound passes, and the error shows the text of the page; or the expression throws.
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

    /// Loads the page again.
    ///
    /// # Errors
    /// The browser cannot load the page.
    pub async fn reload(&self) -> Result {
        match &self.0 {
            Open::Chromium(page) => page.reload().await,
            Open::Firefox(page) => page.reload().await,
            Open::WebKit(page) => page.reload().await,
        }
    }

    /// Takes the network of the page away, or restores it. An open connection stays open; only a
    /// [`Cable`](crate::cable::Cable) cuts connections.
    ///
    /// # Errors
    /// The engine is not Chromium.
    pub async fn offline(&self, offline: bool) -> Result {
        self.chromium("offline")?.offline(offline).await
    }

    /// Gives the page this size in CSS pixels, each of them `scale` device pixels wide.
    ///
    /// # Errors
    /// The engine is not Chromium.
    pub async fn resize(&self, width: u32, height: u32, scale: f64) -> Result {
        self.chromium("resize")?.resize(width, height, scale).await
    }

    /// Sets the preferred colour scheme, `light` or `dark`.
    ///
    /// # Errors
    /// The engine is not Chromium.
    pub async fn prefer(&self, scheme: &str) -> Result {
        self.chromium("prefer")?.prefer(scheme).await
    }

    fn chromium(&self, call: &str) -> Result<&chromium::Page> {
        match &self.0 {
            Open::Chromium(page) => Ok(page),
            _ => {
                Err(format!("`Page::{call}` works in Chromium only; add the trial with `Trials::add_in_chromium`")
                    .into())
            }
        }
    }

    /// Writes a picture of the page to `target/screenshots/NAME.png`, or `NAME-ENGINE.png` if the engine is not
    /// Chromium.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn picture(&self, name: &str) -> Result {
        let program = std::env::current_exe()?;
        // A test is `target/PROFILE/deps/TEST`, wherever cargo puts its target.
        let target = program.ancestors().nth(3).ok_or("cargo did not build this test")?;
        let folder = target.join("screenshots");
        std::fs::create_dir_all(&folder)?;
        let suffix = match &self.0 {
            Open::Chromium(_) => "",
            Open::Firefox(_) => "-firefox",
            Open::WebKit(_) => "-webkit",
        };
        self.screenshot(&folder.join(format!("{name}{suffix}.png"))).await
    }

    /// Writes a picture of the page to this PNG file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn screenshot(&self, file: &Path) -> Result {
        let png = match &self.0 {
            Open::Chromium(page) => page.screenshot().await?,
            Open::Firefox(page) => page.screenshot().await?,
            Open::WebKit(page) => page.screenshot().await?,
        };
        Ok(std::fs::write(file, png)?)
    }

    /// Closes the page and its connections.
    ///
    /// # Errors
    /// The browser does not answer.
    pub async fn close(self) -> Result {
        match self.0 {
            Open::Chromium(page) => page.close().await,
            Open::Firefox(page) => page.close().await,
            Open::WebKit(page) => page.close().await,
        }
    }
}

/// Bounds the time of a browser's answer.
async fn within<T>(what: &str, answer: impl Future<Output = Result<T>>) -> Result<T> {
    let answer = tokio::time::timeout(PATIENCE, answer).await;
    answer.unwrap_or_else(|_| Err(Error::from(format!("not within {PATIENCE:?}: {what}"))))
}
