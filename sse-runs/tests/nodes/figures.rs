//! Figures: attach behind on another node, a stop from another node, and the commands of a run.

use crate::client::attach;
use crate::node::{Work, routes};
use crate::server::Server;
use crate::single::read_at;
use sse_redis::Redis;
use sse_runs::{OutputError, RunOutput, Runs};
use std::convert::Infallible;
use std::time::{Duration, Instant};
use tokio::time::sleep;

struct Node {
    runs: Runs,
    url: String,
}

async fn node(url: &str) -> Node {
    let (redis, hub) = Redis::start(url).unwrap();
    let runs = Runs::builder(&hub).redis(&redis).build();
    redis.loaded().await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = routes(runs.clone());
    tokio::spawn(async move { axum::serve(listener, served).await });
    Node { runs, url }
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

fn commands(server: &Server) -> u64 {
    let info = server.cli(&["INFO", "commandstats"]);
    let eval = info.lines().find_map(|line| line.strip_prefix("cmdstat_eval:calls=")).unwrap_or_default();
    eval.split(',').next().and_then(|calls| calls.parse().ok()).unwrap_or(0)
}

pub(crate) async fn figures(long: bool) -> String {
    let server = Server::start(true);
    let http = reqwest::Client::new();
    let [one, other] = [node(&server.url()).await, node(&server.url()).await];

    // A stop from another node.
    let mut stops = Vec::new();
    for number in 0..if long { 1_000 } else { 50 } {
        let (send, stopped) = tokio::sync::oneshot::channel();
        struct OnDrop(Option<tokio::sync::oneshot::Sender<Instant>>);
        impl Drop for OnDrop {
            fn drop(&mut self) {
                let _ = self.0.take().map(|send| send.send(Instant::now()));
            }
        }
        let on_drop = OnDrop(Some(send));
        let work = async move |output: RunOutput| {
            let _on_drop = on_drop;
            let _ = output.send("begun");
            std::future::pending::<Result<(), Infallible>>().await
        };
        let id = format!("stop-{number}");
        one.runs.start(&id, work).await.unwrap();
        let begun = Instant::now();
        assert!(other.runs.stop(&id).await.unwrap());
        stops.push(stopped.await.unwrap() - begun);
    }
    let stops = p99(stops);

    // Attach at another node, 5,000 events behind.
    let (send, ready) = tokio::sync::oneshot::channel();
    let work = async |output: RunOutput| {
        for number in 0..=5_000 {
            output.send(format!("0:{number}"))?;
        }
        output.flush().await?;
        let _ = send.send(());
        output.stopped().await;
        Ok::<_, OutputError>(())
    };
    one.runs.start("attach", work).await.unwrap();
    ready.await.unwrap();
    let first = attach(&http, &other.url, "attach", "").next_event().await.unwrap().unwrap();
    let mut attaches = Vec::new();
    for _ in 0..if long { 300 } else { 20 } {
        let begun = Instant::now();
        let mut reader = attach(&http, &other.url, "attach", &first.last_event_id);
        for number in 1..=5_000 {
            let event = reader.next_event().await.unwrap().unwrap();
            if number == 1 || number == 5_000 {
                assert_eq!(event.data, format!("0:{number}"));
            }
        }
        attaches.push(begun.elapsed());
    }
    let attaches = p99(attaches);
    assert!(one.runs.stop("attach").await.unwrap());

    // The commands of one run at 200 tokens a second, with 20 clients. The idle nodes send as many before.
    let seconds = if long { 20 } else { 3 };
    let before = commands(&server);
    sleep(Duration::from_secs(seconds)).await;
    let idle = commands(&server) - before;
    let clients = if long { 200 } else { 20 };
    let work = Work { attempt: 0, tokens: 200 * seconds, millis: 5 };
    let before = commands(&server);
    let begun = Instant::now();
    one.runs.start("tokens", move |output| work.run(output)).await.unwrap();
    let readers: Vec<_> = (0..clients)
        .map(|_| {
            let (http, url) = (http.clone(), other.url.clone());
            tokio::spawn(async move { read_at(&http, &url, "tokens").await.len() as u64 })
        })
        .collect();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), 200 * seconds + 1);
    }
    let time = begun.elapsed().as_secs_f64();
    let rate = (commands(&server) - before) as f64 / time;
    let idle = idle as f64 / seconds as f64;
    assert!(rate - idle <= 50.0, "{rate} commands per second, of which {idle} without the run");
    format!(
        "stop from another node p99 {stops:.1?}; attach 5,000 events behind p99 {attaches:.1?}; {:.1} commands/s of a run at \
         {:.0} tokens/s with {clients} clients",
        rate - idle,
        (200 * seconds) as f64 / time
    )
}
