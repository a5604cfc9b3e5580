//! Fragments of HTML, and the page with htmx.

use crate::{LIVE, SOON, shows, start};
use reqwest::Client;
use sse_test_support::Result;
use sse_test_support::cable::Cable;
use sse_test_support::http::Reader;
use sse_test_support::process::Server;
use sse_test_support::trials::Trials;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-fragments");

async fn bid(server: &Server, name: &str, amount: &str) -> Result<(u16, String)> {
    let url = format!("{}/bids", server.url());
    let answer = Client::new().post(url).form(&[("name", name), ("amount", amount)]).send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

pub(crate) fn add(trials: &mut Trials) {
    trials.add("fragments::text_of_users_is_escaped", async || {
        let server = start(PROGRAM, &[]).await?;
        let mut reader = Reader::open(format!("{}/events", server.url())).await?;
        assert_eq!(bid(&server, "<img src=x onerror=alert(1)> & \"co\"", "5").await?, (200, String::new()));
        let row = "<li>&lt;img src=x onerror=alert(1)&gt; &amp; &quot;co&quot;<b>5</b></li>";
        reader.until("bid", row, SOON).await?;
        reader.until("price", "5", SOON).await?;
        let (status, problem) = bid(&server, "<b>", "5").await?;
        assert_eq!((status, &*problem), (422, "Sorry, &lt;b&gt;: bid at least 6."));
        assert_eq!(bid(&server, " ", "7").await?.0, 422);
        assert_eq!(bid(&server, "x", "-7").await?.0, 422);
        Ok(())
    });

    trials.add("fragments::auction_ends_with_sold_and_then_closed", async || {
        let mut server = start(PROGRAM, &[]).await?;
        bid(&server, "ann", "3").await?;
        server.write("\n").await?;
        let mut reader = Reader::open(format!("{}/events", server.url())).await?;
        reader.until("sold", "<p class=\"sold\">Sold to ann for 3.</p>", SOON).await?;
        reader.until("closed", "", SOON).await?;
        assert_eq!(bid(&server, "bob", "9").await?, (422, "Too late, bob: it is sold.".into()));
        Ok(())
    });

    trials.add_in_each_browser("fragments::page_swaps_fragments_and_closes_at_the_end", async |browser| {
        let mut server = start(PROGRAM, &[]).await?;
        let page = browser.open(server.url()).await?;
        page.wait(LIVE, SOON).await?;
        let offer = "const f = document.forms[0].elements; f.name.value = '<b>Zoë</b>'; f.amount.value = 12; \
            document.forms[0].requestSubmit()";
        page.run(&format!("{{ {offer} }}")).await?;
        shows(&page, "#price", "12").await?;
        shows(&page, "#bids li", "<b>Zoë</b>").await?;
        page.run(&format!("{{ {offer} }}")).await?;
        shows(&page, "#problem", "Sorry, <b>Zoë</b>: bid at least 13.").await?;
        page.picture("fragments").await?;
        bid(&server, "bob", "20").await?;
        shows(&page, "#bids li:first-child", "bob").await?;
        assert_eq!(page.eval::<usize>("bids.children.length").await?, 2);
        server.write("\n").await?;
        shows(&page, ".sold", "Sold to bob for 20.").await?;
        page.wait("document.body.dataset.state === 'done'", SOON).await?;
        assert_eq!(page.eval::<usize>("document.forms.length").await?, 0, "the form is still there");
        shows(&page, "#left", "over").await?;
        assert!(!page.eval::<String>("document.body.innerText").await?.contains("ends in"));
        // A later page receives the same events, and closes its stream as well.
        let late = browser.open(server.url()).await?;
        shows(&late, ".sold", "Sold to bob for 20.").await?;
        late.wait("document.body.dataset.state === 'done'", SOON).await?;
        late.close().await?;
        page.close().await
    });

    trials.add_in_each_browser("fragments::htmx_requests_a_finished_stream_only_once", async |browser| {
        let server = start(PROGRAM, &[]).await?;
        let cable = Cable::to(server.address()).await?;
        let page = browser.open(&cable.url()).await?;
        shows(&page, "#story", "from children.").await?;
        // htmx would open a new EventSource after the reconnection time and at least 0.5 s.
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(page.eval::<String>("story.textContent").await?.matches("from children.").count(), 1);
        let requests =
            "performance.getEntriesByType('resource').filter((entry) => entry.name.endsWith('/story')).length";
        assert!(page.eval::<usize>(requests).await? <= 1);
        page.close().await
    });
}
