//! `follow`, the shared script of the pages, which recovers from failures that end an `EventSource`.

mod server;

use server::World;
use sse_test_support::trials::Trials;
use sse_test_support::{Result, eventually};
use std::process::ExitCode;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

const BAD_GATEWAY: &str = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// The answer of docs/proxies.md in place of a server that is down.
const TRY_AGAIN: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\nretry: 300\n\n";

const HIDE: &str = "Object.defineProperty(document, 'hidden', { configurable: true, value: true });
    document.dispatchEvent(new Event('visibilitychange'))";
const SHOW: &str = "Object.defineProperty(document, 'hidden', { configurable: true, value: false });
    document.dispatchEvent(new Event('visibilitychange'))";

fn main() -> ExitCode {
    let mut trials = Trials::that_wait();
    trials.add_in_each_browser(
        "follow_resumes_behind_a_proxy_that_answers_502_while_the_server_restarts",
        async |browser| {
            let world = World::start().await?;
            let page = world.open(browser, "").await?;
            page.run(SHOW).await?;
            page.wait("log.at(-1) === 'live'", SOON).await?;
            world.publish("before")?;
            page.wait("items() === 'item before'", SOON).await?;
            world.proxy.down(BAD_GATEWAY);
            page.wait("log.at(-1) === 'reconnecting'", SOON).await?;
            world.publish("missed")?;
            // The browser has given up by then.
            eventually("three answers of the proxy", SOON, async || Ok(world.proxy.waits().len() >= 2)).await?;
            world.proxy.up();
            page.wait("log.at(-2) === 'live' && items() === 'item before,item missed'", SOON).await?;
            world.publish("after")?;
            page.wait("items() === 'item before,item missed,item after'", SOON).await?;
            assert_eq!(page.eval::<usize>("log.filter((line) => line.startsWith('gap')).length").await?, 0);
            page.close().await
        },
    );

    trials.add_in_each_browser(
        "follow_waits_longer_after_each_failure_and_tries_at_once_when_online",
        async |browser| {
            let world = World::start().await?;
            let page = world.open(browser, "").await?;
            page.run(SHOW).await?;
            page.wait("log.at(-1) === 'live'", SOON).await?;
            world.proxy.down(BAD_GATEWAY);
            eventually("five answers of the proxy", SOON, async || Ok(world.proxy.waits().len() >= 4)).await?;
            for (failure, wait) in world.proxy.waits().into_iter().skip(1).enumerate() {
                // Half of the wait is fixed and half is random.
                assert!(wait >= Duration::from_millis(200) * 2_u32.pow(failure as u32), "{:?}", world.proxy.waits());
            }
            world.proxy.up();
            page.run("began = performance.now(); dispatchEvent(new Event('online'))").await?;
            page.wait("log.at(-1) === 'live'", SOON).await?;
            assert!(
                page.eval::<bool>("performance.now() - began < 2000").await?,
                "the script did not reconnect at once"
            );
            page.close().await
        },
    );

    trials.add_in_each_browser("follow_is_live_at_the_first_event_and_not_at_an_answer_of_a_proxy", async |browser| {
        let world = World::start().await?;
        let page = world.open(browser, "").await?;
        page.run(SHOW).await?;
        page.wait("log.at(-1) === 'live'", SOON).await?;
        page.run("log.length = 0").await?;
        world.proxy.down(TRY_AGAIN);
        eventually("four answers of the proxy", SOON, async || Ok(world.proxy.waits().len() >= 3)).await?;
        assert_eq!(page.eval::<Vec<String>>("log").await?, ["reconnecting"]);
        world.proxy.up();
        page.wait("log.at(-1) === 'live'", SOON).await?;
        page.close().await
    });

    trials.add_in_each_browser("follow_is_done_at_sse_end_and_makes_no_further_request", async |browser| {
        let world = World::start().await?;
        let page = world.open(browser, "/finished").await?;
        page.run(SHOW).await?;
        page.wait("log.at(-1) === 'done'", SOON).await?;
        assert!(page.eval::<bool>("items() === 'item one,item two'").await?);
        world.proxy.down(BAD_GATEWAY);
        page.run(&format!("{HIDE}; {SHOW}; dispatchEvent(new Event('online'))")).await?;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(page.eval::<String>("log.at(-1)").await?, "done");
        page.close().await
    });

    trials.add_in_each_browser("follow_shows_the_reason_of_retry_later_until_it_is_live", async |browser| {
        let world = World::start().await?;
        let page = world.open(browser, "/full").await?;
        page.run(SHOW).await?;
        page.wait("log.at(-1) === 'live'", SOON).await?;
        assert_eq!(page.eval::<Vec<String>>("log").await?, ["connecting", "full", "live"]);
        page.close().await
    });

    trials.add_in_each_browser("a_hidden_page_keeps_no_stream_and_resumes_when_it_is_shown", async |browser| {
        let world = World::start().await?;
        let page = world.open(browser, "").await?;
        page.run(SHOW).await?;
        world.publish("before")?;
        page.wait("log.at(-1) === 'live' || items() !== ''", SOON).await?;
        world.publish("seen")?;
        page.wait("items().endsWith('item seen')", SOON).await?;
        page.run(HIDE).await?;
        streams(&world, 0).await?;
        assert_eq!(page.eval::<String>("log.at(-1)").await?, "paused");
        world.publish("missed")?;
        page.run(SHOW).await?;
        page.wait("items().endsWith('item seen,item missed')", SOON).await?;
        streams(&world, 1).await?;
        page.close().await
    });

    trials.add_in_each_browser(
        "a_snapshot_arrives_at_a_new_page_and_after_a_gap_and_not_at_a_resume",
        async |browser| {
            let world = World::start().await?;
            let page = world.open(browser, "/board").await?;
            page.wait("items() === 'item the whole board'", SOON).await?;
            world.publish("a move")?;
            page.wait("items() === 'item the whole board,item a move'", SOON).await?;
            page.run("feed.pause(600)").await?;
            streams(&world, 0).await?;
            world.publish("missed")?;
            page.wait("items() === 'item the whole board,item a move,item missed'", SOON).await?;
            page.run("feed.pause(600); log.length = 0").await?;
            streams(&world, 0).await?;
            // More events than the hub keeps.
            for item in ["trimmed", "trimmed too", "kept", "newest"] {
                world.publish(item)?;
            }
            page.wait("items() === 'item the whole board,item kept,item newest'", SOON).await?;
            let gaps = "log.filter((line) => line === 'gap {\"reason\":\"trimmed\",\"topic\":\"items\"}').length";
            assert_eq!(page.eval::<usize>(gaps).await?, 1);
            page.close().await
        },
    );

    trials.add_in_each_browser("pause_drops_the_connection_and_close_ends_everything", async |browser| {
        let world = World::start().await?;
        let page = world.open(browser, "").await?;
        page.run(SHOW).await?;
        world.publish("one")?;
        page.wait("log.at(-1) === 'live' || items() !== ''", SOON).await?;
        world.publish("two")?;
        page.wait("items().endsWith('item two')", SOON).await?;
        page.run("feed.pause(600_000)").await?;
        streams(&world, 0).await?;
        world.publish("three")?;
        page.run("feed.pause(0)").await?;
        page.wait("items().endsWith('item two,item three')", SOON).await?;
        page.run("feed.pause(100)").await?;
        world.publish("four")?;
        page.wait("items().endsWith('item three,item four')", SOON).await?;
        page.run("feed.on('other', (event) => log.push('other ' + event.data))").await?;
        world.hub.publish("items", ("other", "type"))?;
        page.wait("log.at(-1) === 'other type'", SOON).await?;
        page.run("feed.close(); feed.pause(0)").await?;
        page.run(&format!("{HIDE}; {SHOW}; dispatchEvent(new Event('online'))")).await?;
        streams(&world, 0).await?;
        page.close().await
    });
    trials.run()
}

/// Waits until the hub has this many streams.
async fn streams(world: &World, wanted: usize) -> Result {
    eventually(&format!("{wanted} streams"), SOON, async || Ok(world.hub.stats().streams == wanted)).await
}
