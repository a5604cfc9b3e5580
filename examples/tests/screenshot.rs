//! Makes the README's pictures of the news page: `docs/screenshot`.

use sse_test_support::Result;
use sse_test_support::browser::{Browser, Engine, Page};
use sse_test_support::cable::Cable;
use sse_test_support::process::Server;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::sleep;

const SOON: Duration = Duration::from_secs(30);
const BACK: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(2_300);

/// Oldest first. The pages have no connection during two of them.
const HEADLINES: [&str; 6] = [
    "Night trains return: Oslo to Milan in nineteen hours, with breakfast",
    "Observatory finds water vapour on a planet twice the size of Earth",
    "City council votes 31 to 14 to open the old harbour to swimmers",
    "“It just kept ringing”: village bell repaired after 73 years of silence",
    "Storm warning lifted for the northern coast; ferries sail again from noon",
    "Chess: seventeen-year-old takes the title with a draw in the final round",
];

#[tokio::main]
async fn main() -> ExitCode {
    match take().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("screenshot: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn take() -> Result {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut command = Command::new(env!("CARGO_BIN_EXE_example-news"));
    command.args(["--listen", "127.0.0.1:0"]);
    let mut server = Server::start(command).await?;
    let browser = Browser::start(Engine::Chromium).await?;
    let cable = Cable::to(server.address()).await?;
    let light = open(&browser, &cable, "light").await?;
    let dark = open(&browser, &cable, "dark").await?;
    let others = [browser.open(server.url()).await?, browser.open(server.url()).await?];
    for (n, headline) in HEADLINES.into_iter().enumerate() {
        match n {
            2 => cable.pull(),
            4 => {
                cable.plug();
                for page in [&light, &dark] {
                    page.wait("document.querySelector('.note.back')?.textContent.includes('2 headlines')", BACK)
                        .await?;
                }
                sleep(PAUSE).await;
            }
            _ => {}
        }
        server.write(format!("{headline}\n")).await?;
        sleep(PAUSE).await;
    }
    for (page, file) in [(light, "news.png"), (dark, "news-dark.png")] {
        page.wait("readers.textContent === '4 readers'", SOON).await?;
        page.screenshot(&docs.join(file)).await?;
    }
    drop(others);
    browser.stop().await;
    Ok(())
}

async fn open(browser: &Browser, cable: &Cable, scheme: &str) -> Result<Page> {
    let page = browser.open(&cable.url()).await?;
    page.resize(960, 640, 1.5).await?;
    page.prefer(scheme).await?;
    page.wait("document.body.dataset.state === 'live'", SOON).await?;
    Ok(page)
}
