//! Makes the pictures of examples/README.md: `docs/screenshot`. `target/screenshots` then has each page at 1100 and 390
//! pixels, light and dark. Look at these pictures after a change of a page.

use sse_test_support::Result;
use sse_test_support::browser::{Browser, Engine, Page};
use sse_test_support::cable::Cable;
use sse_test_support::process::Server;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::sleep;

const SOON: Duration = Duration::from_secs(30);
const BACK: Duration = Duration::from_secs(30);
const LIVE: &str = "document.body.dataset.state === 'live'";

#[tokio::main]
async fn main() -> ExitCode {
    match take().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pictures: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn take() -> Result {
    // Started first, because its chart needs some samples.
    let monitored = start(env!("CARGO_BIN_EXE_example-monitor"), &[]).await?;
    let browser = Browser::start(Engine::Chromium).await?;
    let cable = Cable::to(monitored.address()).await?;
    let monitor = open(&browser, &cable.url()).await?;
    chat(&browser).await?;
    cable.pull();
    completions(&browser).await?;
    fragments(&browser).await?;
    cable.plug();
    monitor.wait("document.body.dataset.state === 'live' && note.textContent.startsWith('Back')", BACK).await?;
    news(&browser).await?;
    proxy(&browser).await?;
    custom_server(&browser).await?;
    cluster(&browser).await?;
    // The chart shows two minutes.
    monitor.wait("samples.length > 110", 4 * BACK).await?;
    pictures(&monitor, "monitor", (960, 780)).await?;
    browser.stop().await;
    Ok(())
}

async fn chat(browser: &Browser) -> Result {
    let server = start(env!("CARGO_BIN_EXE_example-chat"), &[]).await?;
    let mut people = Vec::new();
    for name in ["ada", "grace", "linus"] {
        let page = open(browser, server.url()).await?;
        page.run(&format!("login.elements.name.value = '{name}'; login.requestSubmit()")).await?;
        page.wait(LIVE, SOON).await?;
        people.push(page);
    }
    for (who, to, text) in [
        (1, "#general", "The deploy is out. Did anybody notice?"),
        (2, "#general", "My tab reconnected, and nothing was missing."),
        (0, "#general", "Same here. One connection, three rooms, and it still knew where I was."),
        (1, "#rust", "Has anybody measured the new release?"),
        (2, "@ada", "lunch?"),
        (1, "#general", "Then I can go home early."),
    ] {
        people[who].run(&format!("at = '{to}'; say.elements.text.value = \"{text}\"; say.requestSubmit()")).await?;
        people[who].wait("say.elements.text.value === ''", SOON).await?;
    }
    people[0].wait("document.querySelectorAll('#rooms .new').length === 2", SOON).await?;
    people[0].run("draw()").await?;
    pictures(&people[0], "chat", (800, 640)).await
}

async fn completions(browser: &Browser) -> Result {
    let server = start(env!("CARGO_BIN_EXE_example-completions"), &[]).await?;
    let page = open(browser, server.url()).await?;
    page.run("$('get').click()").await?;
    page.wait("document.querySelector('#work').textContent.includes('finished')", BACK).await?;
    page.run("$('slow').click()").await?;
    page.wait("document.querySelector('#work').textContent.includes('waiting')", BACK).await?;
    page.run("$('stop').click(); $('post').click()").await?;
    page.wait("tokens > 3", BACK).await?;
    pictures(&page, "completions", (760, 640)).await
}

async fn fragments(browser: &Browser) -> Result {
    let server = start(env!("CARGO_BIN_EXE_example-fragments"), &["--seconds", "90"]).await?;
    let page = open(browser, server.url()).await?;
    page.wait(LIVE, SOON).await?;
    for (name, amount) in [("Zoë", 12), ("Benjamin F.", 40), ("Nikola", 45), ("Zoë", 60)] {
        let fields = format!("elements.name.value = '{name}'; form.elements.amount.value = {amount}");
        page.run(&format!("{{ const form = document.querySelector('form'); form.{fields}; form.requestSubmit() }}"))
            .await?;
        page.wait(&format!("price.textContent.includes('{amount}')"), SOON).await?;
    }
    page.run("document.querySelector('form').reset()").await?;
    // The highlight of a new bid fades.
    sleep(Duration::from_secs(4)).await;
    pictures(&page, "fragments", (800, 640)).await
}

async fn news(browser: &Browser) -> Result {
    let mut server = start(env!("CARGO_BIN_EXE_example-news"), &[]).await?;
    let page = open(browser, server.url()).await?;
    page.wait(LIVE, SOON).await?;
    server.write("Night trains return: Oslo to Milan in nineteen hours, with breakfast\n").await?;
    page.wait("document.querySelectorAll('.headline').length === 1", SOON).await?;
    page.run("stream.pause(3000)").await?;
    server.write("Storm warning lifted for the northern coast; ferries sail again from noon\n").await?;
    page.wait("document.querySelector('.note.back')?.textContent.includes('1 headline')", SOON).await?;
    server.write(format!("{}\n", "Averylongwordwithoutanybreak".repeat(8))).await?;
    page.wait("document.querySelectorAll('.headline').length === 3", SOON).await?;
    shots(&page, "news").await
}

async fn proxy(browser: &Browser) -> Result {
    let mut news = start(env!("CARGO_BIN_EXE_example-news"), &[]).await?;
    let upstream = format!("{}/events", news.url());
    let server = start(env!("CARGO_BIN_EXE_example-proxy"), &["--upstream", &upstream]).await?;
    let page = open(browser, server.url()).await?;
    page.wait("upstream.textContent === 'upstream connected'", SOON).await?;
    for headline in ["Night trains return: Oslo to Milan in nineteen hours", "Storm warning lifted; ferries sail again"]
    {
        news.write(format!("{headline}\n")).await?;
        page.wait(&format!("document.querySelector('#events').textContent.includes('{headline}')"), SOON).await?;
    }
    let block = "event: note\ndata: a whole block,\ndata: posted by a shell script\n\n";
    let answer = reqwest::Client::new().post(format!("{}/events", server.url())).body(block).send().await?;
    answer.error_for_status()?;
    page.wait("document.querySelector('#events').textContent.includes('a shell script')", SOON).await?;
    pictures(&page, "proxy", (800, 440)).await
}

async fn custom_server(browser: &Browser) -> Result {
    let server = start(env!("CARGO_BIN_EXE_example-custom-server"), &[]).await?;
    let page = open(browser, server.url()).await?;
    page.wait("readers.textContent === '1 reader'", SOON).await?;
    // Wait for the animation of the hands.
    sleep(Duration::from_secs(2)).await;
    pictures(&page, "custom-server", (800, 570)).await
}

async fn cluster(browser: &Browser) -> Result {
    let server = start(env!("CARGO_BIN_EXE_example-cluster"), &[]).await?;
    let page = open(browser, server.url()).await?;
    page.wait("tally.seen > 11", BACK).await?;
    page.run("document.querySelector('.here button').click()").await?;
    page.wait(&format!("{LIVE} && tally.resumed === 1 && tally.seen > 17"), BACK).await?;
    pictures(&page, "cluster", (880, 545)).await
}

async fn start(program: &str, args: &[&str]) -> Result<Server> {
    let mut command = Command::new(program);
    command.args(["--listen", "127.0.0.1:0"]).args(args);
    Server::start(command).await
}

async fn open(browser: &Browser, url: &str) -> Result<Page> {
    let page = browser.open(url).await?;
    page.resize(800, 640, 1.0).await?;
    page.prefer("light").await?;
    Ok(page)
}

/// The time that a page needs to draw itself in another size.
const DRAWN: Duration = Duration::from_millis(600);

async fn pictures(page: &Page, name: &str, (width, height): (u32, u32)) -> Result {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pictures");
    std::fs::create_dir_all(&docs)?;
    page.resize(width, height, 1.0).await?;
    sleep(DRAWN).await;
    page.screenshot(&docs.join(format!("{name}.png"))).await?;
    shots(page, name).await
}

async fn shots(page: &Page, name: &str) -> Result {
    let shots = PathBuf::from(env!("CARGO_BIN_EXE_example-news")).with_file_name("../screenshots");
    std::fs::create_dir_all(&shots)?;
    for (width, height) in [(1100, 900), (390, 844)] {
        for scheme in ["light", "dark"] {
            page.prefer(scheme).await?;
            page.resize(width, height, 1.0).await?;
            sleep(DRAWN).await;
            page.screenshot(&shots.join(format!("{name}-{width}-{scheme}.png"))).await?;
        }
    }
    page.prefer("light").await
}
