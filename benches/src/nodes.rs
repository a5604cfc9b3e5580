//! Two nodes at one engine, compared with the bare commands of the same client library.
//!
//! The way from a node to its browsers is in neither figure: the subscribers are bodies that this process polls.

use crate::still::admitted;
use bytes::Bytes;
use futures_util::future::{join, join_all, try_join_all};
use futures_util::{Stream, StreamExt};
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::streams::StreamReadReply;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, cmd};
use sse_core::{Hub, Sse, Tokio};
use sse_redis::Redis;
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The number of publishes with a measured latency, ours and the bare commands in turn.
pub const PUBLISHES: usize = 4_000;
/// The number of subscribers of each node, of events that they receive, and of concurrent publishers.
pub const READERS: usize = 500;
pub const EVENTS: usize = 20_000;
pub const PUBLISHERS: usize = 64;
const PAYLOAD: usize = 100;

/// The measurements.
pub struct Nodes {
    /// From the publish on one node to the subscriber of the other: the median and the 99th percentile, in µs.
    pub ours: (f64, f64),
    pub bare: (f64, f64),
    /// Events per second that reached all subscribers of both nodes, and both of two `XREAD`.
    pub ours_per_second: f64,
    pub bare_per_second: f64,
}

/// Measures two nodes. Returns `None` without `redis-server`.
pub fn run(runs: usize) -> io::Result<Option<Nodes>> {
    let Some(engine) = Engine::start()? else { return Ok(None) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure(&engine, runs)).map(Some).map_err(io::Error::other)
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn measure(engine: &Engine, runs: usize) -> Result<Nodes, Failure> {
    let (a, hub_a) = Redis::start(&engine.url())?;
    let (b, hub_b) = Redis::start(&engine.url())?;
    let loaded = join(a.loaded(), b.loaded()).await;
    loaded.0.and(loaded.1)?;
    let (ours, bare) = latencies(engine, &a, &hub_b).await?;
    let (mut rates, mut bare_rates) = (Vec::new(), Vec::new());
    for _ in 0..runs.max(1) {
        rates.push(burst(&a, [&hub_a, &hub_b]).await?);
        bare_rates.push(bare_burst(engine).await?);
    }
    a.stop();
    b.stop();
    Ok(Nodes {
        ours: (at(&ours, 0.5), at(&ours, 0.99)),
        bare: (at(&bare, 0.5), at(&bare, 0.99)),
        ours_per_second: median(rates),
        bare_per_second: median(bare_rates),
    })
}

/// One publish after the other, ours and a bare one in turn, so that other work of the machine affects both.
async fn latencies(engine: &Engine, publisher: &Redis, hub: &Hub) -> Result<(Vec<Duration>, Vec<Duration>), Failure> {
    let mut body = reader(hub, "latency").await;
    let (mut writer, mut bare) = (engine.connect().await?, Bare::start(engine, "latency").await?);
    let (mut ours, mut theirs) = (Vec::with_capacity(PUBLISHES), Vec::with_capacity(PUBLISHES));
    for _ in 0..PUBLISHES {
        let begun = Instant::now();
        let delivered = async {
            body.next().await;
            begun.elapsed()
        };
        let (took, stored) = join(delivered, publisher.publish("latency", "x".repeat(PAYLOAD))).await;
        stored?;
        ours.push(took);

        let begun = Instant::now();
        let delivered = async { bare.read().await.map(|_| begun.elapsed()) };
        let (took, stored) = join(delivered, add(&mut writer, "latency")).await;
        stored?;
        theirs.push(took?);
    }
    ours.sort();
    theirs.sort();
    Ok((ours, theirs))
}

/// Events per second to all subscribers of both nodes.
async fn burst(publisher: &Redis, hubs: [&Hub; 2]) -> Result<f64, Failure> {
    let readers = join_all((0..2 * READERS).map(|n| reader(hubs[n % 2], "burst"))).await;
    let readers = readers.into_iter().map(|mut body| {
        tokio::spawn(async move {
            let mut events = 0;
            while events < EVENTS {
                let Some(chunk) = body.next().await else { return false };
                events += memchr::memmem::find_iter(&chunk, b"\n\n").count();
            }
            true
        })
    });
    let readers: Vec<_> = readers.collect();
    let begun = Instant::now();
    let publish = |_| async {
        for _ in 0..EVENTS.div_ceil(PUBLISHERS) {
            publisher.publish("burst", "x".repeat(PAYLOAD)).await?;
        }
        Ok::<_, Failure>(())
    };
    try_join_all((0..PUBLISHERS).map(publish)).await?;
    if !try_join_all(readers).await?.into_iter().all(|whole| whole) {
        return Err("a reader was ended before it had everything".into());
    }
    Ok(EVENTS as f64 / begun.elapsed().as_secs_f64())
}

/// Entries per second to both of two `XREAD`, written over one connection by the same number of publishers.
async fn bare_burst(engine: &Engine) -> Result<f64, Failure> {
    let writer = engine.connect().await?;
    let mut readers = Vec::new();
    for _ in 0..2 {
        let mut bare = Bare::start(engine, "burst").await?;
        readers.push(tokio::spawn(async move {
            let mut entries = 0;
            while entries < EVENTS {
                entries += bare.read().await?;
            }
            Ok::<_, Failure>(())
        }));
    }
    let begun = Instant::now();
    let write = |_| {
        let mut writer = writer.clone();
        async move {
            for _ in 0..EVENTS.div_ceil(PUBLISHERS) {
                add(&mut writer, "burst").await?;
            }
            Ok::<_, Failure>(())
        }
    };
    try_join_all((0..PUBLISHERS).map(write)).await?;
    for reader in readers {
        reader.await??;
    }
    Ok(EVENTS as f64 / begun.elapsed().as_secs_f64())
}

/// A body that follows a topic, after the opening was read.
async fn reader(hub: &Hub, topic: &str) -> impl Stream<Item = Bytes> + Send + Unpin + 'static {
    let sse: Sse<Tokio> = Sse::new(Default::default(), admitted());
    let mut body = Box::pin(sse.keep_alive(None).subscribe(hub, [topic]).into_response().into_body());
    body.next().await;
    body
}

async fn add(connection: &mut MultiplexedConnection, key: &str) -> redis::RedisResult<String> {
    let mut add = cmd("XADD");
    add.arg(key).arg("MAXLEN").arg("~").arg(100_000).arg("*").arg("d").arg("x".repeat(PAYLOAD));
    add.query_async(connection).await
}

/// A client that reads a stream by `XREAD` alone.
struct Bare {
    connection: MultiplexedConnection,
    key: &'static str,
    last: String,
}

impl Bare {
    async fn start(engine: &Engine, key: &'static str) -> Result<Self, Failure> {
        let mut connection = engine.connect().await?;
        let last = add(&mut connection, key).await?;
        Ok(Self { connection, key, last })
    }

    /// Waits for the next entries, and returns their number.
    async fn read(&mut self) -> Result<usize, Failure> {
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(512).arg("BLOCK").arg(1_000).arg("STREAMS").arg(self.key).arg(&self.last);
        let read: Option<StreamReadReply> = read.query_async(&mut self.connection).await?;
        let entries = read.into_iter().flat_map(|read| read.keys).flat_map(|key| key.ids);
        let ids: Vec<String> = entries.map(|entry| entry.id).collect();
        if let Some(last) = ids.last() {
            self.last.clone_from(last);
        }
        Ok(ids.len())
    }
}

fn at(sorted: &[Duration], share: f64) -> f64 {
    sorted[(sorted.len() as f64 * share) as usize].as_secs_f64() * 1e6
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// A `redis-server` of this process, without a file on disk.
struct Engine {
    child: Child,
    port: u16,
    dir: PathBuf,
}

impl Engine {
    fn start() -> io::Result<Option<Self>> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let dir = std::env::temp_dir().join(format!("sse-benches-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
            .arg(&dir)
            .stdout(Stdio::null())
            .spawn();
        match child {
            Ok(child) => {
                let engine = Self { child, port, dir };
                let begun = Instant::now();
                while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
                    if begun.elapsed() > Duration::from_secs(10) {
                        return Err(io::Error::other("redis-server does not answer"));
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
                Ok(Some(engine))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::remove_dir_all(&dir)?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Connects in the same way as a node.
    async fn connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        let info = self.url().into_connection_info()?.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(5)));
        Client::open(info)?.get_multiplexed_async_connection_with_config(&config).await
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
