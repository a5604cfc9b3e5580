//! Three nodes that follow one log, and the loss of a node or of Redis.

use crate::{LIVE, SOON, shows, start};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use sse_test_support::http::Reader;
use sse_test_support::process::Server;
use sse_test_support::trials::Trials;
use sse_test_support::{Result, eventually};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_example-cluster");

/// A running cluster.
struct Cluster {
    _server: Server,
    nodes: Vec<String>,
}

impl Cluster {
    /// Starts a cluster, and waits until every node follows the log.
    async fn start() -> Result<Self> {
        let server = start(PROGRAM, &[]).await?;
        let mut cluster = Self { nodes: vec![server.url().to_owned()], _server: server };
        let state = cluster.state(0).await?;
        let ports = state["nodes"].as_array().ok_or("no nodes")?.iter().map(|node| &node["port"]);
        cluster.nodes = ports.map(|port| format!("http://127.0.0.1:{port}")).collect();
        cluster.wait_for_state(0, "/nodes", json!(["Ready", "Ready", "Ready"])).await?;
        Ok(cluster)
    }

    async fn state(&self, node: usize) -> Result<Value> {
        Ok(reqwest::get(format!("{}/state", self.nodes[node])).await?.json().await?)
    }

    /// Waits until a node reports this state of all nodes, or of Redis.
    async fn wait_for_state(&self, node: usize, pointer: &str, wanted: Value) -> Result {
        let question = async || {
            let state = self.state(node).await?;
            let found = match state.pointer(pointer) {
                Some(Value::Array(nodes)) => nodes.iter().map(|node| node["state"].clone()).collect(),
                found => found.cloned().unwrap_or_default(),
            };
            Ok(found == wanted)
        };
        eventually(&format!("{pointer} is {wanted}"), SOON, question).await
    }

    async fn act(&self, node: usize, action: &str) -> Result {
        // A node that kills itself does not answer.
        let _ = Client::new().post(format!("{}/do/{action}", self.nodes[node])).send().await;
        Ok(())
    }

    async fn publish(&self, node: usize, text: &str) -> Result<StatusCode> {
        let url = format!("{}/messages", self.nodes[node]);
        Ok(Client::new().post(url).body(text.to_owned()).send().await?.status())
    }

    async fn read(&self, node: usize, after: &str) -> Result<Reader> {
        let url = format!("{}/events", self.nodes[node]);
        Ok(Reader::of(Client::new().get(url).header("last-event-id", after).send().await?))
    }
}

/// Checks that the clients received consecutive numbers, and returns the numbers.
fn consecutive<'r>(readers: impl IntoIterator<Item = &'r Reader>) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for reader in readers {
        assert_eq!(reader.data_of("gap").count(), 0);
        for number in reader.data_of("count") {
            numbers.push(number.parse()?);
        }
    }
    let expected: Vec<u64> = numbers.first().map_or(Vec::new(), |first| (*first..).take(numbers.len()).collect());
    assert_eq!(numbers, expected);
    Ok(numbers)
}

pub(crate) fn add(trials: &mut Trials) {
    trials.add("cluster::clients_of_a_killed_node_resume_at_another", async || {
        let cluster = Cluster::start().await?;
        let mut reader = cluster.read(1, "").await?;
        reader.until("count", "1", SOON).await?;
        assert_eq!(cluster.publish(0, "from the first").await?, StatusCode::NO_CONTENT);
        reader.until("message", "from the first", SOON).await?;

        // Node 1 kills itself, before it can answer.
        cluster.act(1, "kill-node/1").await?;
        assert!(reader.to_end(SOON).await.is_err(), "the stream ended normally");
        cluster.wait_for_state(0, "/nodes", json!(["Ready", "Killed", "Ready"])).await?;
        assert_eq!(cluster.publish(0, "missed").await?, StatusCode::NO_CONTENT);
        let mut again = cluster.read(2, reader.last_event_id()).await?;
        again.until("message", "missed", SOON).await?;
        assert_eq!(again.data_of("message").count(), 1);

        cluster.act(0, "start-node/1").await?;
        cluster.wait_for_state(0, "/nodes", json!(["Ready", "Ready", "Ready"])).await?;
        let mut back = cluster.read(1, again.last_event_id()).await?;
        let next = consecutive([&reader, &again])?.len() + 1;
        back.until("count", &next.to_string(), SOON).await?;
        consecutive([&reader, &again, &back])?;
        Ok(())
    });

    trials.add("cluster::streams_stay_open_while_redis_is_down", async || {
        let cluster = Cluster::start().await?;
        let mut readers = [cluster.read(0, "").await?, cluster.read(2, "").await?];
        for reader in &mut readers {
            reader.until("count", "1", SOON).await?;
        }
        cluster.act(0, "kill-redis/0").await?;
        cluster.wait_for_state(0, "/redis", json!(false)).await?;
        cluster.wait_for_state(0, "/nodes", json!(["Stale", "Stale", "Stale"])).await?;
        assert_eq!(cluster.publish(0, "not now").await?, StatusCode::SERVICE_UNAVAILABLE);
        // The node still serves its history, and is ready for new clients for a while.
        let mut again = cluster.read(2, readers[0].last_event_id()).await?;
        assert_eq!(reqwest::get(format!("{}/readyz", cluster.nodes[1])).await?.status(), 200);

        cluster.act(0, "start-redis/0").await?;
        let stored = async || Ok(cluster.publish(0, "now").await? == StatusCode::NO_CONTENT);
        eventually("a publish succeeds again", SOON, stored).await?;
        for reader in &mut readers {
            reader.until("message", "now", SOON).await?;
            assert_eq!(reader.data_of("message").count(), 1);
        }
        again.until("message", "now", SOON).await?;
        let next = consecutive([&readers[0]])?.len() + 1;
        for reader in &mut readers {
            reader.until("count", &next.to_string(), SOON).await?;
            consecutive([&*reader])?;
        }
        Ok(())
    });

    trials.add("cluster::page_of_another_site_is_rejected", async || {
        let cluster = Cluster::start().await?;
        for path in ["do/kill-node/1", "messages"] {
            let post = Client::new().post(format!("{}/{path}", cluster.nodes[0]));
            assert_eq!(post.header("sec-fetch-site", "cross-site").send().await?.status(), StatusCode::FORBIDDEN);
        }
        cluster.wait_for_state(0, "/nodes", json!(["Ready", "Ready", "Ready"])).await
    });

    trials.add_in_each_browser("cluster::page_follows_another_node_and_misses_no_number", async |browser| {
        let cluster = Cluster::start().await?;
        let (here, there) = (browser.open(&cluster.nodes[1]).await?, browser.open(&cluster.nodes[2]).await?);
        for page in [&here, &there] {
            page.wait(LIVE, SOON).await?;
            page.wait("tally.seen >= 1", SOON).await?;
        }
        here.run("$('say').elements.text.value = '<b>hello</b>'; $('say').requestSubmit()").await?;
        shows(&there, "#log", "<b>hello</b>").await?;

        let port = |node: usize| cluster.nodes[node].rsplit(':').next().unwrap_or_default().to_owned();
        let press = format!(
            "[...document.querySelectorAll('button')].find((b) => b.textContent === 'Kill node {}').click()",
            port(1)
        );
        here.run(&press).await?;
        here.wait(&format!("{LIVE} && document.body.dataset.node !== '{}' && tally.resumed === 1", port(1)), SOON)
            .await?;
        shows(&here, "#nodes [data-is=Killed]", &format!("Node {}", port(1))).await?;
        // Redis as well: the page stays connected, shows the reason for the failed publish, and continues.
        here.run("document.querySelector('#redis button').click()").await?;
        here.wait("document.querySelector('#redis').dataset.is === 'Killed'", SOON).await?;
        here.run("$('say').elements.text.value = 'not now'; $('say').requestSubmit()").await?;
        shows(&here, "#problem", "Not published: ").await?;
        here.run("before = tally.seen; document.querySelector('#redis button').click()").await?;
        here.wait("tally.seen > before + 1", SOON).await?;
        for page in [&here, &there] {
            assert_eq!(page.eval::<[u32; 3]>("[tally.missing, tally.twice, tally.gaps]").await?, [0; 3]);
        }
        assert_eq!(there.eval::<u32>("tally.resumed").await?, 0, "the node of this page never ended");
        here.close().await?;
        there.close().await
    });
}
