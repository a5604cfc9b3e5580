//! Browser tests of HyperExpress' `response.sse` and S42Core's `SSE` class, on each framework.

mod actix;
mod axum;
mod script;
mod warp;

use sse_test_support::Result;
use sse_test_support::browser::{Browser, Page};
use sse_test_support::trials::Trials;
use std::process::ExitCode;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

/// Starts a server in this process.
type Start = fn(std::net::TcpListener) -> std::io::Result<()>;

const FRAMEWORKS: [(&str, Start); 3] = [("axum", axum::start), ("actix", actix::start), ("warp", warp::start)];

/// Opens a page on a new server. The page writes each event to `log`.
async fn open(browser: &Browser, start: Start, url: &str) -> Result<Page> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    start(listener)?;
    let page = browser.open(&format!("http://{address}/")).await?;
    let listen = format!(
        "log = []; began = performance.now();
         source = new EventSource('{url}');
         source.onopen = () => log.push('open');
         source.onerror = () => log.push(source.readyState === EventSource.CLOSED ? 'closed' : 'lost');
         source.onmessage = (event) => log.push('message ' + event.data);
         for (const type of ['welcome', 'score', 'tick'])
           source.addEventListener(type, (event) => log.push(type + ' ' + event.data));
         since = (ms) => performance.now() - began >= ms;"
    );
    page.run(&listen).await?;
    Ok(page)
}

fn main() -> ExitCode {
    let mut trials = Trials::new();
    for (framework, start) in FRAMEWORKS {
        let name = |what: &str| format!("{framework}::{what}");

        trials.add_in_chromium(name("welcome_has_the_uuid_of_the_stream"), async move |browser| {
            let page = open(browser, start, "/sse/welcome").await?;
            page.wait("log.length >= 3", SOON).await?;
            let uuid = "JSON.parse(log[1].slice('welcome '.length)).uuid";
            assert!(page.eval::<bool>("log[0] === 'open' && log[1].startsWith('welcome ')").await?);
            assert!(
                page.eval::<bool>(&format!("/^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$/.test({uuid})"))
                    .await?
            );
            // The handler also sent the ID of its sender.
            assert!(page.eval::<bool>(&format!("log[2] === 'message ' + {uuid}")).await?);
            page.close().await
        });

        trials.add_in_chromium(
            name("named_event_reaches_its_listener_and_data_alone_reaches_onmessage"),
            async move |browser| {
                let page = open(browser, start, "/sse/names").await?;
                page.wait("log.length >= 5", SOON).await?;
                let log: Vec<String> = page.eval("log").await?;
                let score = r#"score {"away":1,"home":2,"note":"<b>\"late\"</b>\nline"}"#;
                assert_eq!(log, ["open", "message data alone", "tick named", "tick with an id", score]);
                assert_eq!(page.eval::<i64>("JSON.parse(log[4].slice('score '.length)).home").await?, 2);
                page.close().await
            },
        );

        trials.add_in_chromium(name("browser_reconnects_after_close_and_not_after_finish"), async move |browser| {
            let page = open(browser, start, "/sse/visits").await?;
            page.wait("log.includes('closed')", SOON).await?;
            // Two closed streams, then a finished one: the browser reconnected once more, received 204, and stopped.
            let expected = ["open", "message visit 1", "lost", "open", "message visit 2", "lost", "closed"];
            assert_eq!(page.eval::<Vec<String>>("log").await?, expected);
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            assert_eq!(page.eval::<Vec<String>>("log").await?, expected);
            assert_eq!(page.eval::<usize>("source.readyState").await?, 2);
            page.close().await
        });

        trials.add_in_chromium(name("s42core_example_sends_after_1_s_and_closes_after_5_s"), async move |browser| {
            let page = open(browser, start, "/sse/s42core").await?;
            page.wait("log.includes('message {\"hello\":\"world\"}')", SOON).await?;
            assert!(page.eval::<bool>("since(950) && !since(4000)").await?, "the event did not come after 1 s");
            page.wait("log.includes('lost')", SOON).await?;
            assert!(page.eval::<bool>("since(4950) && !since(8000)").await?, "the end did not come after 5 s");
            page.close().await
        });
    }
    trials.run()
}
