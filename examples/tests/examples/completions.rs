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

    trials.add("completions::a_client_attaches_to_a_run_after_its_last_event_id", async || {
        let server = start(PROGRAM, &[]).await?;
        let client = reqwest::Client::new();
        let started = client.post(format!("{}/runs?prompt=x", server.url())).send().await?.text().await?;
        let url = format!("{}/runs/{started}", server.url());
        let mut reader = Reader::open(&url).await?;
        reader.to_end(SOON).await?;
        let events = |text: &str| -> Vec<String> {
            let is_event = |block: &&str| block.starts_with("event: token\n") || block.starts_with("event: done\n");
            text.split("\n\n").filter(is_event).map(str::to_owned).collect()
        };
        let all = events(reader.text());
        let [first, .., before, token, done] = &*all else { panic!("{all:?}") };
        assert!(first.starts_with("event: token\ndata: \"You\"\n") && done.starts_with("event: done\ndata: {}\n"));
        let after = async |event: &str| {
            let id = event.lines().find_map(|line| line.strip_prefix("id: ")).unwrap_or_default();
            client.get(&url).header("last-event-id", id).send().await
        };
        assert_eq!(events(&after(before).await?.text().await?), [&**token, &**done]);
        assert_eq!(after(done).await?.status(), 204);
        assert_eq!(client.get(format!("{}/runs/unknown", server.url())).send().await?.status(), 404);
        Ok(())
    });

    trials.add_in_each_browser("completions::a_run_goes_on_without_the_page", async |browser| {
        let server = start(PROGRAM, &[]).await?;
        let page = browser.open(server.url()).await?;
        let once = "document.getElementById('answer').textContent.split('You asked').length === 2";
        page.run("$('prompt').value = '<i>run</i>'; $('run').click()").await?;
        shows(&page, "#answer", "You asked: \"<i>run</i>\"").await?;
        page.reload().await?;
        let other = browser.open(&page.eval::<String>("location.href").await?).await?;
        for page in [&page, &other] {
            page.wait("$('state').textContent === 'finished'", SOON).await?;
            shows(page, "#answer", "does not ask again.").await?;
            assert!(page.eval::<bool>(once).await?);
        }
        // Also after the end, and once more.
        other.reload().await?;
        other.wait("$('state').textContent === 'finished'", SOON).await?;
        assert!(other.eval::<bool>(once).await?);
        other.close().await?;
        // The answer repeats the prompt, so this one takes more than a minute.
        page.run("$('prompt').value = 'Why? '.repeat(3000); $('run').click()").await?;
        page.wait(LIVE, SOON).await?;
        page.run("$('cancel').click()").await?;
        page.wait("$('state').textContent === 'stopped'", SOON).await?;
        page.close().await?;
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
