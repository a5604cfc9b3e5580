//! Charts of this machine's processors, memory and network, without holes after a reconnect. Also the counters of the hub for
//! Prometheus, and the readiness check for a load balancer.
//!
//! ```sh
//! cargo run -p monitor
//! curl localhost:3000/metrics
//! ```

mod metrics;
mod sample;

use clap::Parser;
use example_common::{Listen, page, stop_signal};
use sample::Sample;
use sse_warp::hub::PublishError;
use sse_warp::{Event, Hub, Replay, Sse};
use std::io;
use std::time::Duration;
use warp::http::StatusCode;
use warp::{Filter, path, reply};

/// The number of stored samples, which is the number of samples on a chart.
const KEPT: usize = 120;

/// The server writes to a page at most once in this time, also with `--every-ms 4`.
const WINDOW: Duration = Duration::from_millis(40);

/// Live charts of this machine.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    /// The time over which the server ends its streams one by one, while /readyz answers 503
    #[arg(long, value_name = "MS", default_value_t = 0)]
    drain_ms: u64,

    /// The time between two samples
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    every_ms: u64,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let args = Args::parse();
    let listener = tokio::net::TcpListener::from_std(args.listen.bind()?)?;
    let hub = Hub::builder().topic_events(KEPT).drain_grace(Duration::from_millis(500)).build();

    let publisher = hub.clone();
    std::thread::Builder::new().name("samples".into()).spawn(move || {
        let mut shown = Vec::new();
        sample::each(Duration::from_millis(args.every_ms), |sample, cores| {
            if let Err(error) = publish(&publisher, sample, cores, &mut shown) {
                eprintln!("monitor: {error}");
            }
        });
    })?;

    let with_hub = {
        let hub = hub.clone();
        warp::any().map(move || hub.clone())
    };
    let html = page(include_str!("../page.html"));
    let page = path::end().map(move || reply::html(html));
    let events = path!("events")
        .and(sse_warp::sse(()))
        .and(with_hub.clone())
        .map(|sse: Sse, hub| sse.pace(WINDOW).subscribe(&hub, ["machine", "cores"]).replay(Replay::Last(KEPT)));
    let metrics = path!("metrics").and(with_hub.clone()).map(|hub: Hub| metrics::text(&hub.stats()));
    // A load balancer sends new clients to other servers as soon as the hub drains.
    let readyz = path!("readyz").and(with_hub).map(|hub: Hub| match hub.is_draining() {
        false => reply::with_status("ready\n", StatusCode::OK),
        true => reply::with_status("draining\n", StatusCode::SERVICE_UNAVAILABLE),
    });

    let signal = stop_signal()?;
    let stop = async move {
        signal.await;
        hub.drain(Duration::from_millis(args.drain_ms)).await;
    };
    warp::serve(events.or(page).or(metrics).or(readyz)).incoming(listener).graceful(stop).run().await;
    Ok(())
}

/// A chart needs each sample, so the samples are a topic with a history. Of a processor the page needs the newest value only, so
/// the processors are a state topic, with a key for each.
fn publish(hub: &Hub, sample: &Sample, cores: &[u8], shown: &mut Vec<u8>) -> Result<(), PublishError> {
    hub.publish("machine", Event::json(sample).event("sample"))?;
    let state = hub.state_topic("cores")?;
    for (core, percent) in cores.iter().enumerate() {
        if shown.get(core) != Some(percent) {
            state.set(core.to_string(), Event::json(&(core, percent)).event("core"))?;
        }
    }
    *shown = cores.to_vec();
    Ok(())
}
