//! Samples, metrics and readiness.

use crate::{BACK, LIVE, SOON, answers, shows, start, start_at};
use serde_json::Value;
use sse_test_support::Result;
use sse_test_support::cable::Cable;
use sse_test_support::http::Reader;
use sse_test_support::trials::Trials;

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-monitor");

pub(crate) fn add(trials: &mut Trials) {
    trials.add("monitor::publishes_samples_of_the_machine", async || {
        let server = start(PROGRAM, &[]).await?;
        let mut reader = Reader::open(format!("{}/events", server.url())).await?;
        while reader.data_of("sample").count() < 2 {
            reader.next(SOON).await?;
        }
        let samples: Vec<Value> = reader.data_of("sample").map(serde_json::from_str).collect::<Result<_, _>>()?;
        for sample in &samples {
            let number = |name: &str| sample[name].as_f64().unwrap_or(-1.0);
            assert!((0.0..=100.0).contains(&number("cpu")), "{sample}");
            assert!(0.0 < number("used") && number("used") <= number("memory"), "{sample}");
            assert!(number("received") >= 0.0 && number("sent") >= 0.0, "{sample}");
        }
        assert!(samples[0]["at"].as_u64() < samples[1]["at"].as_u64());
        // A later client receives the stored samples.
        let mut later = Reader::open(format!("{}/events", server.url())).await?;
        let first = reader.data_of("sample").next().unwrap_or_default().to_owned();
        later.until("sample", &first, SOON).await?;
        // The state of each processor comes first.
        let cores: Vec<(usize, u8)> = later.data_of("core").map(serde_json::from_str).collect::<Result<_, _>>()?;
        let processors = std::thread::available_parallelism()?.get();
        for core in 0..processors {
            assert!(cores.iter().any(|(at, percent)| *at == core && *percent <= 100), "{cores:?}");
        }
        Ok(())
    });

    trials.add("monitor::metrics_have_the_counters_of_the_hub", async || {
        let server = start(PROGRAM, &[]).await?;
        let reader = Reader::open(format!("{}/events", server.url())).await?;
        let url = format!("{}/metrics", server.url());
        answers(url.clone(), "\nsse_streams 1\n").await?;
        answers(url.clone(), "\nsse_topics 2\n").await?;
        drop(reader);
        answers(url.clone(), "\nsse_ended_total{reason=\"gone\"} 1\n").await?;
        let text = reqwest::get(url).await?.text().await?;
        for line in text.lines() {
            let value = line.rsplit(' ').next().unwrap_or_default();
            assert!(line.starts_with("# TYPE sse_") || value.parse::<u64>().is_ok(), "{line}");
        }
        Ok(())
    });

    #[cfg(unix)]
    trials.add("monitor::readyz_is_503_during_a_drain", async || {
        let server = start(PROGRAM, &["--drain-ms", "2000"]).await?;
        let url = format!("{}/readyz", server.url());
        assert_eq!(reqwest::get(&url).await?.status(), 200);
        // Each stream ends at its own moment, so some streams are open after half of the window.
        let mut readers = Vec::new();
        for _ in 0..32 {
            readers.push(Reader::open(format!("{}/events", server.url())).await?);
        }
        let ended = tokio::spawn(server.terminate());
        sse_test_support::eventually("not ready", SOON, async || Ok(reqwest::get(&url).await?.status() == 503)).await?;
        let (status, _) = ended.await??;
        assert!(status.success(), "{status}");
        Ok(())
    });

    trials.add_in_each_browser("monitor::page_draws_missed_samples_after_a_reconnect", async |browser| {
        let server = start(PROGRAM, &[]).await?;
        let cable = Cable::to(server.address()).await?;
        let page = browser.open(&cable.url()).await?;
        page.wait(LIVE, SOON).await?;
        page.wait("samples.length >= 2", SOON).await?;
        shows(&page, "#cpu", "%").await?;
        shows(&page, "#cores", "%").await?;
        page.wait(DRAWN, SOON).await?;
        cable.pull();
        page.wait("document.body.dataset.state === 'reconnecting'", SOON).await?;
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        cable.plug();
        page.wait(LIVE, BACK).await?;
        page.wait("/Back: [1-9]/.test(note.textContent)", SOON).await?;
        // The page has received the missed samples, so the line has no hole.
        assert_eq!(page.eval::<usize>("parts().length").await?, 1);
        page.picture("monitor").await?;
        page.close().await
    });

    #[cfg(unix)]
    trials.add_in_each_browser("monitor::page_continues_after_a_restart_of_the_server", async |browser| {
        let server = start(PROGRAM, &[]).await?;
        let address = server.address().to_owned();
        let page = browser.open(server.url()).await?;
        page.wait("samples.length >= 1", SOON).await?;
        server.terminate().await?;
        page.wait("document.body.dataset.state === 'reconnecting'", SOON).await?;
        page.run("window.before = samples.length").await?;
        let _server = start_at(PROGRAM, &address, &[]).await?;
        page.wait("document.body.dataset.state === 'live' && samples.length > before", BACK).await?;
        page.close().await
    });
}

/// The canvas contains a colour that the grid does not use.
const DRAWN: &str = "(() => { const c = document.querySelector('#cpus'); \
    const p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; \
    for (let i = 0; i < p.length; i += 4) if (p[i + 3] && Math.abs(p[i] - p[i + 1]) > 60) return true; \
    return false })()";
