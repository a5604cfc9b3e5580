//! Permissions and the end of a login.

use crate::{LIVE, SOON, shows, start};
use reqwest::{Client, Response, StatusCode};
use serde_json::json;
use sse_test_support::http::Reader;
use sse_test_support::process::Server;
use sse_test_support::trials::Trials;
use sse_test_support::{Result, eventually};
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-chat");

/// A logged-in user.
struct Person<'s> {
    server: &'s Server,
    cookie: String,
}

impl<'s> Person<'s> {
    async fn enter(server: &'s Server, name: &str) -> Result<Self> {
        let answer =
            Client::new().post(format!("{}/login", server.url())).json(&json!({ "name": name })).send().await?;
        let answer = answer.error_for_status()?;
        let cookie = answer.headers().get("set-cookie").and_then(|value| value.to_str().ok()).ok_or("no cookie")?;
        assert!(cookie.ends_with("; HttpOnly; SameSite=Strict"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(Self { server, cookie })
    }

    async fn listen(&self) -> Result<Reader> {
        self.listen_after(None).await
    }

    async fn listen_after(&self, id: Option<&str>) -> Result<Reader> {
        let request = Client::new().get(format!("{}/events", self.server.url())).header("cookie", &self.cookie);
        let request = id.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        Ok(Reader::of(request.send().await?.error_for_status()?))
    }

    async fn post(&self, path: &str, body: &serde_json::Value) -> Result<Response> {
        let url = format!("{}{path}", self.server.url());
        Ok(Client::new().post(url).header("cookie", &self.cookie).json(body).send().await?)
    }

    async fn say(&self, to: &str, text: &str) -> Result {
        self.post("/messages", &json!({ "to": to, "text": text })).await?.error_for_status()?;
        Ok(())
    }
}

/// The received messages: from, to and text. Each has the server's time.
fn said(reader: &Reader) -> Vec<[String; 3]> {
    let fields = ["from", "to", "text"].map(|field| reader.field_of("said", field));
    let times = reader.data_of("said").filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok());
    assert!(times.map(|said| said["at"].as_u64()).all(|at| at > Some(1_700_000_000_000)), "{}", reader.text());
    let [from, to, text] = fields;
    from.into_iter().zip(to).zip(text).map(|((from, to), text)| [from, to, text]).collect()
}

/// The data of the event that tells whether a user is here.
fn person(name: &str, here: bool) -> String {
    format!(r#"{{"name":"{name}","here":{here}}}"#)
}

pub(crate) fn add(trials: &mut Trials) {
    trials.add("chat::rooms_and_private_messages_share_one_stream", async || {
        let server = start(PROGRAM, &[]).await?;
        let (ann, bob) = (Person::enter(&server, "ann").await?, Person::enter(&server, "bob").await?);
        let carl = Person::enter(&server, "carl").await?;
        let (mut to_ann, mut to_bob, mut to_carl) = (ann.listen().await?, bob.listen().await?, carl.listen().await?);
        to_ann.until("person", &person("carl", true), SOON).await?;
        ann.say("#rust", "to all").await?;
        ann.say("@bob", "to you").await?;
        bob.say("#general", "the last").await?;
        for reader in [&mut to_ann, &mut to_bob, &mut to_carl] {
            reader.until_field("said", "text", "the last", SOON).await?;
        }
        let all = [["ann", "#rust", "to all"], ["ann", "@bob", "to you"], ["bob", "#general", "the last"]];
        assert_eq!(said(&to_ann), all);
        assert_eq!(said(&to_bob), all);
        assert_eq!(said(&to_carl), [all[0], all[2]]);

        // One ID for all topics, which grants nothing: with bob's ID carl does not receive bob's messages.
        let id = to_bob.last_event_id().to_owned();
        ann.say("@bob", "psst").await?;
        ann.say("#general", "aloud").await?;
        let mut back = bob.listen_after(Some(&id)).await?;
        back.until_field("said", "text", "aloud", SOON).await?;
        assert_eq!(back.data_of("said").count(), 2);
        let mut thief = carl.listen_after(Some(&id)).await?;
        thief.until_field("said", "text", "aloud", SOON).await?;
        assert_eq!(thief.data_of("said").count(), 1);
        Ok(())
    });

    trials.add("chat::end_of_a_login_ends_its_streams", async || {
        let server = start(PROGRAM, &["--login-seconds", "1"]).await?;
        let ann = Person::enter(&server, "ann").await?;
        let mut reader = ann.listen().await?;
        reader.to_end(SOON).await?;
        assert_eq!(status(ann.listen().await), Some(StatusCode::UNAUTHORIZED));
        // A new login with the same name does not receive the messages of the first one.
        let again = Person::enter(&server, "ann").await?;
        again.say("@ann", "only mine").await?;
        let mut reader = again.listen().await?;
        reader.until_field("said", "text", "only mine", SOON).await?;
        assert_eq!(reader.data_of("said").count(), 1);
        Ok(())
    });

    trials.add("chat::messages_stay_stored_after_many_logins", async || {
        let server = start(PROGRAM, &[]).await?;
        let ann = Person::enter(&server, "ann").await?;
        ann.say("#rust", "still here").await?;
        for n in 0..60 {
            let visitor = Person::enter(&server, &format!("visitor-{n}")).await?;
            visitor.post("/logout", &json!({})).await?.error_for_status()?;
        }
        let mut reader = ann.listen().await?;
        reader.until_field("said", "text", "still here", SOON).await?;
        reader.until("person", &person("ann", true), SOON).await?;
        assert_eq!(reader.data_of("person").count(), 1, "{}", reader.text());
        Ok(())
    });

    trials.add("chat::logout_ends_every_stream_of_the_login_and_no_other", async || {
        let server = start(PROGRAM, &[]).await?;
        let (ann, bob) = (Person::enter(&server, "ann").await?, Person::enter(&server, "bob").await?);
        let (mut one, mut two, mut other) = (ann.listen().await?, ann.listen().await?, bob.listen().await?);
        assert_eq!(ann.post("/logout", &json!({})).await?.status(), StatusCode::NO_CONTENT);
        one.to_end(SOON).await?;
        two.to_end(SOON).await?;
        other.until("left", "\"ann\"", SOON).await
    });

    trials.add("chat::a_user_is_here_while_a_stream_is_open", async || {
        let server = start(PROGRAM, &[]).await?;
        let bob = Person::enter(&server, "bob").await?;
        let mut to_bob = bob.listen().await?;
        to_bob.until("person", &person("bob", true), SOON).await?;
        let ann = Person::enter(&server, "ann").await?;
        to_bob.until("person", &person("ann", false), SOON).await?;
        let mut streams = Vec::new();
        for _ in 0..5 {
            streams.push(ann.listen().await?);
        }
        to_bob.until("person", &person("ann", true), SOON).await?;
        // A stream over the limit ends without the state.
        let opens = async || Ok(ann.listen().await?.until("person", &person("bob", true), SOON).await.is_ok());
        // A login has five streams, so a sixth one opens as soon as the server has noticed that one of them left.
        assert!(!opens().await?);
        streams.pop();
        eventually("the server notices that a stream left", SOON, opens).await?;
        ann.say("#rust", "still here").await?;
        to_bob.until_field("said", "text", "still here", SOON).await?;
        assert_eq!(to_bob.data_of("person").filter(|data| data.contains("ann")).count(), 2, "{}", to_bob.text());

        let id = to_bob.last_event_id().to_owned();
        drop(streams);
        bob.listen_after(Some(&id)).await?.until("person", &person("ann", false), SOON).await
    });

    trials.add("chat::end_of_a_login_without_a_stream_removes_the_user", async || {
        let server = start(PROGRAM, &["--login-seconds", "12"]).await?;
        Person::enter(&server, "ann").await?;
        // Bob's login ends six seconds after ann's, and no request comes in between.
        tokio::time::sleep(Duration::from_secs(6)).await;
        let mut to_bob = Person::enter(&server, "bob").await?.listen().await?;
        to_bob.until("person", &person("ann", false), SOON).await?;
        to_bob.until("left", "\"ann\"", SOON).await
    });

    trials.add("chat::requests_without_a_login_are_rejected", async || {
        let server = start(PROGRAM, &[]).await?;
        let stranger = Person { server: &server, cookie: "login=0".into() };
        assert_eq!(status(stranger.listen().await), Some(StatusCode::UNAUTHORIZED));
        let say = json!({ "to": "#general", "text": "x" });
        assert_eq!(stranger.post("/messages", &say).await?.status(), StatusCode::UNAUTHORIZED);
        let ann = Person::enter(&server, "ann").await?;
        assert_eq!(ann.post("/login", &json!({ "name": "ann" })).await?.status(), StatusCode::CONFLICT);
        assert_eq!(ann.post("/login", &json!({ "name": "<b>" })).await?.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let nobody = json!({ "to": "@nobody", "text": "x" });
        assert_eq!(ann.post("/messages", &nobody).await?.status(), StatusCode::NOT_FOUND);
        Ok(())
    });

    trials.add_in_each_browser("chat::page_shows_who_is_here_and_who_is_away", async |browser| {
        let server = start(PROGRAM, &[]).await?;
        let ann = browser.open(server.url()).await?;
        ann.run("login.elements.name.value = 'ann'; login.requestSubmit()").await?;
        ann.wait(LIVE, SOON).await?;
        let bob = Person::enter(&server, "bob").await?;
        ann.wait(AWAY, SOON).await?;
        let stream = bob.listen().await?;
        ann.wait(&format!("!{AWAY} && document.querySelector('#rooms').textContent.includes('@bob')"), SOON).await?;
        drop(stream);
        ann.wait(AWAY, SOON).await?;
        bob.post("/logout", &json!({})).await?.error_for_status()?;
        ann.wait("!document.querySelector('#rooms').textContent.includes('@bob')", SOON).await?;
        ann.close().await
    });

    trials.add_in_each_browser("chat::page_sends_and_receives_until_the_login_ends", async |browser| {
        let server = start(PROGRAM, &["--login-seconds", "20"]).await?;
        let (ann, bob) = (browser.open(server.url()).await?, browser.open(server.url()).await?);
        for (page, name) in [(&ann, "ann"), (&bob, "bob")] {
            page.run(&format!("login.elements.name.value = '{name}'; login.requestSubmit()")).await?;
            page.wait(LIVE, SOON).await?;
        }
        shows(&ann, "#rooms", "@bob").await?;
        ann.run("say.elements.text.value = '<b>hi</b>'; say.requestSubmit()").await?;
        shows(&bob, "#log", "<b>hi</b>").await?;
        bob.run("[...document.querySelectorAll('#rooms button')].find((b) => b.textContent === '@ann').click()")
            .await?;
        bob.run("say.elements.text.value = 'psst'; say.requestSubmit()").await?;
        shows(&bob, "#log", "psst").await?;
        ann.wait("[...document.querySelectorAll('#rooms .new')].some((b) => b.textContent === '@bob')", SOON).await?;
        ann.picture("chat").await?;
        // The browser reconnects once, and the page then receives 401.
        ann.wait("document.querySelector('#problem').textContent.includes('Your login has ended')", SOON).await?;
        ann.wait("login.checkVisibility() && !chat.checkVisibility()", SOON).await?;
        bob.close().await?;
        ann.close().await
    });
}

const AWAY: &str = "[...document.querySelectorAll('#rooms .away')].some((button) => button.textContent === '@bob')";

fn status(opened: Result<Reader>) -> Option<StatusCode> {
    opened.err()?.downcast_ref::<reqwest::Error>()?.status()
}
