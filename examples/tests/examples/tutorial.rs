//! The program of docs/tutorial.md, on each framework.

use crate::{LIVE, SOON, shows, start};
use reqwest::{Client, Response};
use sse_test_support::http::Reader;
use sse_test_support::trials::Trials;
use sse_test_support::{Result, eventually};

pub(crate) const AXUM: &str = env!("CARGO_BIN_EXE_example-tutorial-axum");
pub(crate) const ACTIX: &str = env!("CARGO_BIN_EXE_example-tutorial-actix");
pub(crate) const WARP: &str = env!("CARGO_BIN_EXE_example-tutorial-warp");

pub(crate) fn add(trials: &mut Trials) {
    for (framework, program) in [("axum", AXUM), ("actix", ACTIX), ("warp", WARP)] {
        let name = |promise: &str| format!("tutorial_{framework}::{promise}");
        trials.add(name("feed_resumes_after_the_last_event_id"), async move || feed(program).await);
        trials.add(name("notifications_need_a_login_and_reach_one_user"), async move || notifications(program).await);
        trials.add(name("answer_stops_when_the_client_leaves"), async move || answer(program).await);
        trials.add(name("progress_ends_and_the_next_request_is_answered_204"), async move || job(program).await);
    }
    trials.add("tutorial::document_has_the_code_of_the_programs", async || document());
    trials.add_in_each_browser("tutorial::page_uses_every_part", async |browser| {
        let server = start(AXUM, &[]).await?;
        let page = browser.open(server.url()).await?;
        page.wait(LIVE, SOON).await?;
        page.run("$('publish').elements.text.value = '<b>rain'; $('publish').requestSubmit()").await?;
        shows(&page, "#news li", "<b>rain").await?;

        page.wait("!$('login').hidden && $('notify').hidden", SOON).await?;
        page.run("$('login').elements.name.value = 'ada'; $('login').requestSubmit()").await?;
        page.wait("$('login').hidden && !$('notify').hidden", SOON).await?;
        page.run("$('notify').elements.to.value = 'ada'; $('notify').elements.text.value = 'hi'; $('notify').requestSubmit()").await?;
        shows(&page, "#notifications li", "ada: hi").await?;

        page.run("$('start').click(); $('ask').elements.question.value = 'why?'; $('ask').requestSubmit()").await?;
        shows(&page, "#text", "You asked: why?").await?;
        page.run("$('leave').click()").await?;
        page.wait("$('job').value === 'done' && $('bar').value === 100", SOON).await?;
        page.picture("tutorial").await?;
        page.close().await?;
        left_words(&server).await
    });
}

async fn post(url: &str, path: &str, form: &[(&str, &str)], cookie: &str) -> Result<Response> {
    Ok(Client::new().post(format!("{url}{path}")).header("cookie", cookie).form(form).send().await?)
}

async fn open(url: String, headers: [(&str, &str); 2]) -> Result<Response> {
    let request = Client::new().get(url).header("accept", "text/event-stream");
    Ok(headers.into_iter().fold(request, |request, (name, value)| request.header(name, value)).send().await?)
}

async fn feed(program: &str) -> Result {
    let server = start(program, &[]).await?;
    let url = format!("{}/news", server.url());
    let mut reader = Reader::open(&url).await?;
    for text in ["one", "two"] {
        assert_eq!(post(server.url(), "/headlines", &[("text", text)], "").await?.status(), 204);
    }
    reader.until("headline", "\"two\"", SOON).await?;
    let id = reader.last_event_id().to_owned();
    drop(reader);
    post(server.url(), "/headlines", &[("text", "three")], "").await?;
    let mut reader = Reader::of(open(url, [("last-event-id", &id), ("cookie", "")]).await?);
    reader.until("headline", "\"three\"", SOON).await?;
    assert_eq!(reader.data_of("headline").collect::<Vec<_>>(), ["\"three\""]);
    Ok(())
}

async fn notifications(program: &str) -> Result {
    let server = start(program, &[]).await?;
    let stream = format!("{}/notifications", server.url());
    for accept in ["text/event-stream", "text/html"] {
        let response = Client::new().get(&stream).header("accept", accept).header("cookie", "login=0").send().await?;
        assert_eq!(response.status(), 401);
    }
    assert!(post(server.url(), "/login", &[("name", "ada/ grace")], "").await?.status().is_client_error());
    let mut readers = Vec::new();
    let mut cookies = Vec::new();
    for name in ["ada", "grace"] {
        let response = post(server.url(), "/login", &[("name", name)], "").await?;
        assert_eq!(response.status(), 204);
        let set = response.headers().get("set-cookie").ok_or("no cookie")?.to_str()?;
        assert!(set.ends_with("; Path=/; Max-Age=3600; HttpOnly; SameSite=Strict"), "{set}");
        let cookie = set.split_once(';').ok_or("no attributes")?.0.to_owned();
        readers.push(Reader::of(open(stream.clone(), [("cookie", &cookie), ("x", "")]).await?));
        cookies.push(cookie);
    }
    let note = |to, text| [("to", to), ("text", text)];
    assert_eq!(post(server.url(), "/notify", &note("ada", "forged"), "").await?.status(), 401);
    assert_eq!(post(server.url(), "/notify", &note("ada", "hello"), &cookies[1]).await?.status(), 204);
    assert_eq!(post(server.url(), "/notify", &note("grace", "hi"), &cookies[0]).await?.status(), 204);
    for (reader, text) in readers.iter_mut().zip(["\"grace: hello\"", "\"ada: hi\""]) {
        reader.until("notification", text, SOON).await?;
        assert_eq!(reader.data_of("notification").collect::<Vec<_>>(), [text]);
    }
    Ok(())
}

async fn answer(program: &str) -> Result {
    let server = start(program, &[]).await?;
    let mut response = post(server.url(), "/answer", &[("question", "<b>why?")], "").await?;
    assert_eq!(response.status(), 200);
    let mut text = String::new();
    while !text.contains("data: \"<b>why? \"\n\n") {
        text += std::str::from_utf8(&response.chunk().await?.ok_or("the answer has ended")?)?;
    }
    drop(response);
    left_words(&server).await
}

/// Waits until the program has dropped an answer.
async fn left_words(server: &sse_test_support::process::Server) -> Result {
    let dropped = async || Ok(server.log().contains("the client left: "));
    eventually("the answer is dropped", SOON, dropped).await
}

async fn job(program: &str) -> Result {
    let server = start(program, &[]).await?;
    let job = post(server.url(), "/jobs", &[], "").await?.text().await?;
    let url = format!("{}/jobs/{job}", server.url());
    let mut reader = Reader::open(&url).await?;
    reader.to_end(SOON).await?;
    let percent: Vec<u8> = reader.data_of("percent").map(str::parse).collect::<Result<_, _>>()?;
    assert!(percent.is_sorted() && percent.len() > 2 && percent.last() == Some(&100), "{percent:?}");
    assert_eq!(reader.last_event_id(), "end");
    assert_eq!(open(url.clone(), [("last-event-id", "end"), ("x", "")]).await?.status(), 204);
    // The program does not know an ended job.
    assert_eq!(open(url, [("x", ""), ("y", "")]).await?.status(), 404);
    Ok(())
}

/// Compares each block of code of the document with the file that the block names.
fn document() -> Result {
    let files = [
        ("app.rs", include_str!("../../tutorial/src/app.rs")),
        ("axum.rs", include_str!("../../tutorial/src/axum.rs")),
        ("actix.rs", include_str!("../../tutorial/src/actix.rs")),
        ("warp.rs", include_str!("../../tutorial/src/warp.rs")),
        ("page.html", include_str!("../../tutorial/page.html")),
    ];
    let document = include_str!("../../../docs/tutorial.md");
    let mut compared = 0;
    for block in document.split("\n```").skip(1).step_by(2) {
        let (kind, code) = block.split_once('\n').ok_or("a block without code")?;
        let Some((_, name)) = kind.split_once(' ') else { continue };
        let (_, file) = files.into_iter().find(|(file, _)| *file == name).ok_or(name)?;
        // A document is narrower than a program, and shows parts of it.
        assert!(plain(file).contains(&plain(code)), "{name} has no such code:\n{code}");
        compared += 1;
    }
    assert!(compared > 15, "{compared}");
    Ok(())
}

/// Code without the differences that rustfmt makes: spaces, line breaks, commas at the end of a list.
fn plain(code: &str) -> String {
    let code: String = code.split_whitespace().collect();
    code.replace(",)", ")").replace(",}", "}")
}
