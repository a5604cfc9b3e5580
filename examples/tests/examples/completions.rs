//! Complete answers and cancelled answers.

use crate::{LIVE, SOON, shows, start};
use serde_json::{Value, json};
use sse_test_support::Result;
use sse_test_support::browser::Engine;
use sse_test_support::http::Reader;
use sse_test_support::trials::Trials;

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-completions");

pub(crate) fn add(trials: &mut Trials) {
    trials.add("completions::get_and_post_stream_the_same_answer_and_finish", async || {
        let server = start(PROGRAM, &[]).await?;
        let url = format!("{}/completions", server.url());
        let mut got = Reader::open(format!("{url}?prompt=%3Cb%3E%22why%22")).await?;
        // Clients of models send an `Accept` for JSON.
        let posted = reqwest::Client::new().post(&url).header("accept", "application/json");
        let posted = posted.json(&json!({ "prompt": "<b>\"why\"" })).send().await?;
        assert_eq!(posted.headers().get("content-type").map(|value| value.as_bytes()), Some(&b"text/event-stream"[..]));
        let posted = posted.text().await?;
        got.to_end(SOON).await?;

        let answer = text(got.data_of("message"))?;
        assert!(answer.starts_with("You asked: \"<b>\"why\"\"\n\nA stream matters"), "{answer}");
        assert!(answer.contains("日本語 and 🦜.\n"), "{answer}");
        assert_eq!(got.data_of("message").last(), Some("[DONE]"));
        // `sse-end` stops an `EventSource`. A client of POST does not reconnect, and receives no `sse-end`.
        let end = "data: [DONE]\n\nevent: sse-end\nid: end\ndata: {}\n\n";
        assert!(got.text().ends_with(end), "{:?}", got.text());
        assert!(posted.ends_with("data: [DONE]\n\n"), "{posted:?}");
        assert_eq!(posted.matches("data: ").count(), got.data_of("message").count());

        let again = reqwest::Client::new().get(format!("{url}?prompt=x")).header("last-event-id", "end");
        assert_eq!(again.send().await?.status(), 204);
        Ok(())
    });

    trials.add("completions::work_stops_when_the_client_leaves", async || {
        let server = start(PROGRAM, &[]).await?;
        let mut work = Reader::open(format!("{}/work", server.url())).await?;
        let mut reader = reqwest::get(format!("{}/completions?prompt=x", server.url())).await?;
        reader.chunk().await?;
        drop(reader);
        let cancelled = async |work: &mut Reader| loop {
            let jobs: Vec<Value> = work.data_of("job").map(serde_json::from_str).collect::<Result<_, _>>()?;
            if let Some(job) = jobs.into_iter().find(|job| job["state"] == "cancelled") {
                return Result::<Value>::Ok(job);
            }
            work.next(SOON).await?;
        };
        let job = cancelled(&mut work).await?;
        // A complete answer takes about four seconds.
        assert!(job["tokens"].as_u64().is_some_and(|tokens| tokens < 60), "{job}");
        Ok(())
    });

    trials.add("completions::work_waits_for_a_client_that_reads_nothing", async || {
        let server = start(PROGRAM, &[]).await?;
        let mut work = Reader::open(format!("{}/work", server.url())).await?;
        let endless = json!({ "prompt": "x", "endless": true });
        let url = format!("{}/completions", server.url());
        let reader = reqwest::Client::new().post(url).json(&endless).send().await?;
        while !work.data_of("job").any(|job| job.contains("waiting")) {
            work.next(SOON).await?;
        }
        drop(reader);
        while !work.data_of("job").any(|job| job.contains("cancelled")) {
            work.next(SOON).await?;
        }
        Ok(())
    });

    trials.add_in_each_browser("completions::page_reads_by_get_and_by_post_and_leaves", async |browser| {
        let server = start(PROGRAM, &[]).await?;
        let page = browser.open(server.url()).await?;
        for button in ["post", "get"] {
            page.run(&format!("$('prompt').value = '<i>{button}</i>'; $('{button}').click()")).await?;
            shows(&page, "#answer", &format!("You asked: \"<i>{button}</i>\"")).await?;
            shows(&page, "#answer", "does not ask again.").await?;
            page.wait("$('state').textContent === 'finished'", SOON).await?;
            shows(&page, "#work", "finished").await?;
        }
        assert_eq!(page.eval::<usize>("document.querySelectorAll('#answer i, #answer b').length").await?, 0);
        page.picture("completions").await?;
        page.run("$('get').click()").await?;
        page.wait(LIVE, SOON).await?;
        shows(&page, "#answer", "You asked").await?;
        page.run("$('stop').click()").await?;
        shows(&page, "#work li:first-child", "cancelled").await?;
        // Firefox and WebKit read from the network, also if the page does not read.
        if browser.engine() == Engine::Chromium {
            page.run("$('slow').click()").await?;
            shows(&page, "#work li:first-child", "waiting").await?;
        }
        page.close().await?;
        Ok(())
    });
}

fn text<'a>(data: impl Iterator<Item = &'a str>) -> Result<String> {
    let mut text = String::new();
    for data in data.filter(|data| *data != "[DONE]") {
        let chunk: Value = serde_json::from_str(data)?;
        text.push_str(chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
    }
    Ok(text)
}
