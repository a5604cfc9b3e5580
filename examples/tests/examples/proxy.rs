//! One connection upstream, many clients.

use crate::{SOON, shows, start, start_at};
use sse_test_support::Result;
use sse_test_support::http::Reader;
use sse_test_support::process::Server;
use sse_test_support::trials::Trials;
use tokio::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-proxy");

/// Starts the news example as the server upstream.
async fn news(address: &str) -> Result<Server> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_example-news"));
    command.args(["--listen", address]);
    Server::start(command).await
}

async fn proxy(upstream: &Server) -> Result<Server> {
    start(PROGRAM, &["--upstream", &format!("{}/events", upstream.url())]).await
}

pub(crate) fn add(trials: &mut Trials) {
    trials.add("proxy::many_clients_share_one_connection_upstream", async || {
        let mut news = news("127.0.0.1:0").await?;
        let proxy = proxy(&news).await?;
        let url = format!("{}/events", proxy.url());
        let (mut one, mut two) = (Reader::open(&url).await?, Reader::open(&url).await?);
        one.until("readers", "1", SOON).await?;
        news.write("two\u{2028}words <b>\n").await?;
        one.until_field("headline", "text", "two\u{2028}words <b>", SOON).await?;
        two.until_field("headline", "text", "two\u{2028}words <b>", SOON).await?;
        // The IDs belong to the hub of the proxy, so a client resumes here.
        let id = one.last_event_id().to_owned();
        news.write("the next\n").await?;
        let mut back = Reader::of(reqwest::Client::new().get(&url).header("last-event-id", id).send().await?);
        back.until_field("headline", "text", "the next", SOON).await?;
        assert_eq!(back.data_of("headline").count(), 1);
        assert!(one.data_of("readers").all(|readers| readers == "1"));
        Ok(())
    });

    #[cfg(unix)]
    trials.add("proxy::continues_after_a_restart_of_the_server_upstream", async || {
        let mut first = news("127.0.0.1:0").await?;
        let address = first.address().to_owned();
        let proxy = proxy(&first).await?;
        let mut reader = Reader::open(format!("{}/events", proxy.url())).await?;
        first.write("before\n").await?;
        reader.until_field("headline", "text", "before", SOON).await?;
        first.terminate().await?;
        while !reader.data_of("proxy").any(|status| status.contains("\"lost\"")) {
            reader.next(SOON).await?;
        }
        let mut second = news(&address).await?;
        second.write("after\n").await?;
        reader.until_field("headline", "text", "after", SOON).await?;
        // The new process upstream does not know the ID of the old one and sends a gap. The hub of the proxy has no gap.
        reader.until("upstream-gap", r#"{"reason":"unknown"}"#, SOON).await?;
        assert_eq!(reader.data_of("gap").count(), 0);
        Ok(())
    });

    trials.add("proxy::https_address_is_an_error_at_the_start", async || {
        let output =
            Command::new(PROGRAM).args(["--listen", "127.0.0.1:0", "--upstream", "https://x/"]).output().await?;
        let text = String::from_utf8(output.stderr)?;
        assert!(!output.status.success() && text.contains("this example has no TLS"), "{text}");
        Ok(())
    });

    trials.add("proxy::accepts_one_posted_block_and_rejects_anything_else", async || {
        let proxy = start_at(PROGRAM, "127.0.0.1:0", &["--upstream", "http://127.0.0.1:9/"]).await?;
        let url = format!("{}/events", proxy.url());
        let mut reader = Reader::open(&url).await?;
        let post = async |block: &'static str| -> Result<_> {
            let response = reqwest::Client::new().post(&url).body(block).send().await?;
            Ok((response.status().as_u16(), response.text().await?))
        };
        for (block, why) in [
            ("data: x\n\ndata: forged\n\n", "something follows"),
            ("data: x", "does not end"),
            ("id: 7\ndata: x\n\n", "the hub assigns the event IDs"),
            ("event: proxy\ndata: {}\n\n", "reserved for this program"),
            ("event: gap\ndata: {}\n\n", "`gap`"),
        ] {
            let (status, text) = post(block).await?;
            assert!(status == 400 && text.contains(why), "{status} {text}");
        }
        assert_eq!(post("event:note\r\ndata:a \r\ndata:<b>\r\n\r\n").await?.0, 204);
        reader.until("note", "a \n<b>", SOON).await
    });

    trials.add("proxy::reports_a_missing_server_upstream", async || {
        let proxy = start_at(PROGRAM, "127.0.0.1:0", &["--upstream", "http://127.0.0.1:9/"]).await?;
        let mut reader = Reader::open(format!("{}/events", proxy.url())).await?;
        reader.until("proxy", r#"{"types":[],"upstream":"lost"}"#, SOON).await
    });

    trials.add_in_each_browser("proxy::page_shows_events_of_every_type", async |browser| {
        let mut news = news("127.0.0.1:0").await?;
        let proxy = proxy(&news).await?;
        let page = browser.open(proxy.url()).await?;
        page.wait("upstream.textContent === 'upstream connected'", SOON).await?;
        news.write("first <i>\n").await?;
        // The proxy sends a new type before its first event, so the page has a listener in time.
        shows(&page, "#events", "first <i>").await?;
        news.write("second <i>\n").await?;
        shows(&page, "#events", "second <i>").await?;
        assert_eq!(page.eval::<usize>("document.querySelectorAll('#events i').length").await?, 0);
        page.picture("proxy").await?;
        page.close().await
    });
}
