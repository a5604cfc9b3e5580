//! One fault at a time.

use crate::client::{attach, check, read, remove, start, stop};
use crate::node::{Work, start_process};
use crate::server::Server;
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

const MOST: Duration = Duration::from_secs(30);

/// Reads a run at one node.
pub(crate) async fn read_at(http: &reqwest::Client, node: &str, id: &str) -> Vec<String> {
    let leave = Notify::new();
    timeout(MOST, read(http, id, || node.to_owned(), &leave, |_| false)).await.expect("the run ends")
}

fn signal(process: u32, signal: &str) {
    let status = Command::new("kill").args([signal, &process.to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "kill {signal}");
}

pub(crate) async fn killed(long: bool) -> String {
    let server = Server::start(true);
    let http = reqwest::Client::new();
    let others = [start_process(&server.url()), start_process(&server.url())];
    let mut slowest = Duration::ZERO;
    for round in 0..if long { 10 } else { 1 } {
        let node = start_process(&server.url());
        let work = Work { attempt: 0, tokens: 100_000, millis: 20 };
        let ids: Vec<_> = (0..20).map(|number| format!("{round}-{number}")).collect();
        for id in &ids {
            assert_eq!(start(&http, node.url(), id, work).await, 201);
        }
        let clients = ids.iter().flat_map(|id| others.iter().map(move |other| (id.clone(), other.url().to_owned())));
        let clients: Vec<_> = clients
            .map(|(id, other)| {
                let http = http.clone();
                tokio::spawn(async move { (read_at(&http, &other, &id).await, Instant::now(), id) })
            })
            .collect();
        sleep(Duration::from_millis(1_300 + 70 * round)).await;
        let killed = Instant::now();
        node.kill().unwrap();
        for client in clients {
            let (events, ended, id) = client.await.unwrap();
            let (tokens, end) = check(&id, 0, &events);
            assert!(tokens > 10 && end == r#"failed {"reason":"lost"}"#, "{tokens} {end}");
            slowest = slowest.max(ended - killed);
        }
        for id in &ids {
            // One end, also for a client that attaches after both nodes noticed.
            assert_eq!(read_at(&http, others[0].url(), id).await, read_at(&http, others[1].url(), id).await);
        }
    }
    assert!(slowest <= Duration::from_secs(5), "{slowest:?}");
    format!("slowest end {slowest:.1?}")
}

pub(crate) async fn paused(_long: bool) -> String {
    let server = Server::start(true);
    let http = reqwest::Client::new();
    let [stale, other] = [start_process(&server.url()), start_process(&server.url())];
    let work = |attempt, tokens| Work { attempt, tokens, millis: 10 };
    assert_eq!(start(&http, stale.url(), "a", work(1, 100_000)).await, 201);
    sleep(Duration::from_millis(500)).await;
    signal(stale.id(), "-STOP");
    let (tokens, end) = check("a", 1, &read_at(&http, other.url(), "a").await);
    assert!(tokens > 10 && end == r#"failed {"reason":"lost"}"#, "{tokens} {end}");
    assert_eq!(start(&http, other.url(), "a", work(2, 1)).await, 409);
    assert_eq!(remove(&http, other.url(), "a").await, 204);
    assert_eq!(start(&http, other.url(), "a", work(2, 400)).await, 201);
    sleep(Duration::from_secs(1)).await;
    signal(stale.id(), "-CONT");
    let leave = Notify::new();
    let stale_url = stale.url().to_owned();
    let (at_other, at_stale) = tokio::join!(
        read_at(&http, other.url(), "a"),
        // The node may serve the earlier run for the moment until it has read the log.
        timeout(MOST, read(&http, "a", || stale_url.clone(), &leave, |data| data.starts_with("1:"))),
    );
    assert_eq!(check("a", 2, &at_other), (400, "done {}".to_owned()));
    assert_eq!(at_stale.expect("the run ends"), at_other);
    // The node that returned is a node as any other.
    assert_eq!(start(&http, stale.url(), "b", work(3, 5)).await, 201);
    assert_eq!(check("b", 3, &read_at(&http, other.url(), "b").await), (5, "done {}".to_owned()));
    String::new()
}

pub(crate) async fn requests(_long: bool) -> String {
    let server = Server::start(true);
    let http = reqwest::Client::new();
    let [one, other] = [start_process(&server.url()), start_process(&server.url())];
    let work = Work { attempt: 0, tokens: 100_000, millis: 5 };
    for number in 0..20 {
        let id = format!("{number}");
        let (first, second) = tokio::join!(start(&http, one.url(), &id, work), start(&http, other.url(), &id, work));
        assert!((first, second) == (201, 409) || (first, second) == (409, 201), "{first} {second}");
        let (producer, stopper) = if first == 201 { (&one, &other) } else { (&other, &one) };
        assert_eq!(stop(&http, stopper.url(), &id).await, 204);
        assert_eq!(stop(&http, stopper.url(), &id).await, 404);
        let events = read_at(&http, stopper.url(), &id).await;
        assert_eq!(check(&id, 0, &events).1, r#"stopped {"reason":"requested"}"#);
        assert_eq!(read_at(&http, producer.url(), &id).await, events);
        assert_eq!(remove(&http, stopper.url(), &id).await, 204);
        assert_eq!(remove(&http, producer.url(), &id).await, 404);
    }
    assert_eq!(stop(&http, one.url(), "unknown").await, 404);
    String::new()
}

pub(crate) async fn restarted(_long: bool) -> String {
    let mut server = Server::with(|_| ["--appendonly", "yes", "--appendfsync", "always"].map(str::to_owned).to_vec());
    let http = reqwest::Client::new();
    let [one, other] = [start_process(&server.url()), start_process(&server.url())];
    let work = |tokens| Work { attempt: 0, tokens, millis: 10 };
    assert_eq!(start(&http, one.url(), "kept", work(900)).await, 201);
    sleep(Duration::from_millis(300)).await;
    server.kill();
    // Longer than a lease.
    sleep(Duration::from_secs(4)).await;
    server.run();
    assert_eq!(check("kept", 0, &read_at(&http, other.url(), "kept").await), (900, "done {}".to_owned()));

    assert_eq!(start(&http, one.url(), "lost", work(100_000)).await, 201);
    let client = tokio::spawn({
        let (http, other) = (http.clone(), other.url().to_owned());
        async move { read_at(&http, &other, "lost").await }
    });
    sleep(Duration::from_millis(500)).await;
    server.cli(&["FLUSHALL"]);
    let events = client.await.unwrap();
    assert_eq!(events.last().unwrap(), r#"failed {"reason":"lost"}"#);
    String::new()
}

/// A server that restarts with the data of an earlier moment, as after a loss of the last second of an append-only file.
pub(crate) async fn set_back(_long: bool) -> String {
    let mut server = Server::start(false);
    let http = reqwest::Client::new();
    let [one, other] = [start_process(&server.url()), start_process(&server.url())];
    assert_eq!(start(&http, one.url(), "a", Work { attempt: 0, tokens: 100_000, millis: 10 }).await, 201);
    let (read, mut number) = tokio::sync::watch::channel(0);
    let client = tokio::spawn({
        let mut reader = attach(&http, other.url(), "a", "");
        async move {
            let mut events = Vec::new();
            while let Some(event) = reader.next_event().await.unwrap() {
                events.push(format!("{} {}", event.event_type, event.data));
                read.send_replace(events.len());
            }
            events
        }
    });
    number.wait_for(|number| *number >= 20).await.unwrap();
    assert!(server.cli(&["SAVE"]).starts_with("+OK"));
    let saved = *number.borrow();
    // More than one write of the run is lost, and this client has the events.
    number.wait_for(|number| *number >= saved + 20).await.unwrap();
    server.kill();
    server.run();
    let mut events = timeout(MOST, client).await.expect("the stream ends").unwrap();
    let end = events.pop().unwrap();
    assert_eq!(end, r#"failed {"reason":"lost"}"#);
    let gaps = events.iter().filter(|event| !event.starts_with("message ")).cloned().collect::<Vec<_>>();
    assert!(matches!(&*gaps, [gap] if gap.starts_with("gap ")), "{gaps:?}");
    // Clients that come later receive what is left of the run, and the same end.
    let left = read_at(&http, one.url(), "a").await;
    let (tokens, last) = check("a", 0, &left);
    assert!(tokens >= 10 && (tokens as usize) < events.len() - 20, "{tokens} of {}", events.len());
    assert_eq!(last, end);
    assert_eq!(read_at(&http, other.url(), "a").await, left);
    String::new()
}

/// The `ACL SETUSER` line of `docs/runs.md` is enough.
pub(crate) async fn documented_user(_long: bool) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/runs.md");
    let page = std::fs::read_to_string(page).unwrap();
    let line = page.lines().find(|line| line.starts_with("ACL SETUSER")).expect("the line of the page");
    let line = line.replace("PASSWORD", "secret").replace("NAME", "sse");
    let server = Server::start(false);
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    assert!(server.cli(&words).starts_with("+OK"), "{line}");
    each_command(&format!("redis://sse:secret@{}", server.address())).await;
    String::new()
}

/// All keys of a log and of its runs are in one slot.
pub(crate) async fn cluster(_long: bool) -> String {
    let (server, _) = Server::of_cluster();
    assert!(server.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).starts_with("+OK"));
    server.wait_for("cluster_state:ok", || server.cli(&["CLUSTER", "INFO"]));
    each_command(&format!("redis+cluster://{}", server.address())).await;
    String::new()
}

/// A start, an attach, a stop, a removal, and the end of a dead node's run.
async fn each_command(url: &str) {
    let http = reqwest::Client::new();
    let [one, other] = [start_process(url), start_process(url)];
    let work = Work { attempt: 0, tokens: 100_000, millis: 5 };
    for id in ["a", "b"] {
        assert_eq!(start(&http, one.url(), id, work).await, 201);
    }
    assert_eq!(stop(&http, other.url(), "a").await, 204);
    check("a", 0, &read_at(&http, other.url(), "a").await);
    assert_eq!(remove(&http, other.url(), "a").await, 204);
    one.kill().unwrap();
    assert_eq!(check("b", 0, &read_at(&http, other.url(), "b").await).1, r#"failed {"reason":"lost"}"#);
}
