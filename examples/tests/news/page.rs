//! The page, in a browser.

use crate::{News, SOON, post};
use sse_test_support::Result;
use sse_test_support::browser::Page;
use sse_test_support::cable::Cable;
use sse_test_support::trials::Trials;
use std::time::Duration;

/// A browser may wait 5 s after a drain, and needs another attempt while no server answers.
const BACK: Duration = Duration::from_secs(20);

pub(crate) fn add(trials: &mut Trials, news: News) {
    let name = |what: &str| format!("{}::page::{what}", news.framework);

    trials.add_in_each_browser(name("shows_headlines_of_every_input_as_text"), async move |browser| {
        let mut server = news.start().await?;
        let page = browser.open(server.url()).await?;
        page.wait("document.body.dataset.state === 'live'", SOON).await?;
        let markup =
            "<script>document.title = 'hacked'</script><img src=x onerror=\"document.title = 'hacked'\"> &amp; {{x}}";
        post(&server, markup).await?;
        server.write("from a pipe\n").await?;
        shows(&page, "from a pipe").await?;
        shows(&page, markup).await?;
        assert_eq!(page.eval::<String>("document.title").await?, "Live news");
        assert_eq!(page.eval::<usize>("document.querySelectorAll('#feed img, #feed script').length").await?, 0);
        assert!(page.eval::<bool>("document.querySelector('#empty').checkVisibility() === false").await?);
        page.close().await
    });

    trials.add_in_chromium(name("its_form_publishes"), async move |browser| {
        let server = news.start().await?;
        let page = browser.open(server.url()).await?;
        let other = browser.open(server.url()).await?;
        page.wait("document.body.dataset.state === 'live'", SOON).await?;
        other.wait("document.body.dataset.state === 'live'", SOON).await?;
        page.run("document.forms[0].headline.value = 'From the form'; document.forms[0].requestSubmit()").await?;
        shows(&page, "From the form").await?;
        shows(&other, "From the form").await?;
        page.wait("document.forms[0].headline.value === ''", SOON).await?;

        page.run("document.forms[0].headline.value = '   '; document.forms[0].requestSubmit()").await?;
        page.wait("problem.textContent.includes('a headline needs some text')", SOON).await?;
        other.close().await?;
        page.close().await
    });

    trials.add_in_chromium(name("shows_the_number_of_open_pages"), async move |browser| {
        let server = news.start().await?;
        let page = browser.open(server.url()).await?;
        page.wait("readers.textContent === '1 reader'", SOON).await?;
        let other = browser.open(server.url()).await?;
        page.wait("readers.textContent === '2 readers'", SOON).await?;
        other.wait("readers.textContent === '2 readers'", SOON).await?;
        other.close().await?;
        page.wait("readers.textContent === '1 reader'", SOON).await?;
        page.close().await
    });

    #[cfg(unix)]
    trials.add_in_each_browser(name("reconnects_after_a_restart_of_the_server"), async move |browser| {
        let server = news.start().await?;
        let address = server.address().to_owned();
        let page = browser.open(server.url()).await?;
        page.wait("document.body.dataset.state === 'live'", SOON).await?;
        post(&server, "before").await?;
        shows(&page, "before").await?;

        server.terminate().await?;
        page.wait("document.body.dataset.state === 'reconnecting'", SOON).await?;
        let server = news.start_with(["--listen", &address]).await?;
        page.wait("document.body.dataset.state === 'live'", BACK).await?;
        post(&server, "after").await?;
        shows(&page, "after").await?;
        page.wait("document.querySelector('.note.back')?.textContent.startsWith('Back after')", SOON).await?;
        // The text has the duration only, because headlines after the reconnect do not count as caught up.
        let restarted =
            "[...document.querySelectorAll('.note')].some((note) => note.textContent.includes('The server restarted'))";
        page.wait(restarted, SOON).await?;
        assert_eq!(page.eval::<usize>("document.querySelectorAll('.note.gap, .headline.late').length").await?, 0);
        assert!(!page.eval::<String>("document.querySelector('.note.back').textContent").await?.contains("caught up"));
        once(&page, "before").await?;
        once(&page, "after").await?;
        page.close().await
    });

    trials.add_in_chromium(name("reconnects_after_being_offline"), async move |browser| {
        let server = news.start().await?;
        let cable = Cable::to(server.address()).await?;
        let page = browser.open(&cable.url()).await?;
        page.wait("readers.textContent === '1 reader'", SOON).await?;
        page.offline(true).await?;
        cable.pull();
        page.wait("document.body.dataset.state === 'reconnecting' && !navigator.onLine", SOON).await?;
        for headline in ["missed one", "missed two"] {
            post(&server, headline).await?;
        }
        cable.plug();
        // Long enough for a reconnect, if one were possible.
        tokio::time::sleep(Duration::from_secs(4)).await;
        page.wait("document.body.dataset.state === 'reconnecting'", SOON).await?;
        page.offline(false).await?;
        page.wait("document.body.dataset.state === 'live'", BACK).await?;
        page.wait("document.querySelector('.note.back')?.textContent.includes('2 headlines caught up')", SOON).await?;
        post(&server, "here it is").await?;
        for headline in ["missed one", "missed two", "here it is"] {
            shows(&page, headline).await?;
            once(&page, headline).await?;
        }
        assert_eq!(page.eval::<usize>("document.querySelectorAll('.note.gap').length").await?, 0);
        page.picture(&format!("news-{}", news.framework)).await?;
        page.close().await
    });

    trials.add_in_chromium(name("survives_a_reload_and_many_headlines_at_once"), async move |browser| {
        let mut server = news.start().await?;
        let page = browser.open(server.url()).await?;
        page.wait("document.body.dataset.state === 'live'", SOON).await?;
        post(&server, "from before").await?;
        shows(&page, "from before").await?;
        page.reload().await?;
        page.wait("document.body.dataset.state === 'live'", SOON).await?;
        shows(&page, "from before").await?;
        once(&page, "from before").await?;
        for n in 0..20 {
            server.write(format!("flood {n}\n").repeat(100)).await?;
        }
        server.write("the last one\n").await?;
        page.wait("feed.firstElementChild?.querySelector('p')?.textContent === 'the last one'", SOON).await?;
        assert!(page.eval::<usize>("feed.children.length").await? <= 300);
        page.close().await
    });
}

async fn shows(page: &Page, headline: &str) -> Result {
    page.wait(&format!("{} > 0", count(headline)), SOON).await
}

async fn once(page: &Page, headline: &str) -> Result {
    assert_eq!(page.eval::<usize>(&count(headline)).await?, 1, "{headline}");
    Ok(())
}

fn count(headline: &str) -> String {
    let text = serde_json::Value::from(headline);
    format!("[...document.querySelectorAll('.headline p')].filter((p) => p.textContent === {text}).length")
}
