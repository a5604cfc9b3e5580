//! The delay that a proxy adds to the head of a stream and to each event.

use crate::SOON;
use crate::app::App;
use crate::proxy::{Kind, Proxy};
use sse_conformance::server::Adapter;
use sse_test_support::http::Reader;
use sse_test_support::trials::Trials;
use std::time::{Duration, Instant};

/// The bound on the medians. HAProxy adds 200 ms where it waits for more data, a delayed acknowledgement of TCP 40 ms.
const TOLERANCE: Duration = Duration::from_millis(30);

pub(crate) fn add(trials: &mut Trials, kind: Kind) {
    trials.add(format!("{}::head_and_events_are_not_delayed", kind.name), async move || {
        let app = App::start(Adapter::Axum).await?;
        let proxy = Proxy::before(kind, app.address()).await?;
        let (mut heads, mut events) = (Vec::new(), Vec::new());
        for stream in 0..5 {
            let asked = Instant::now();
            let mut reader = Reader::open(proxy.url("/topics?name=news")).await?;
            reader.next(SOON).await?;
            heads.push(asked.elapsed());
            for event in 0..4 {
                let data = format!("{stream}.{event}");
                let published = Instant::now();
                app.publish(&data).await?;
                reader.until("message", &data, SOON).await?;
                events.push(published.elapsed());
            }
        }
        let (head, event) = (median(&mut heads), median(&mut events));
        println!("{}: the head after {head:?}, an event after {event:?}; the bound is {TOLERANCE:?}", kind.name);
        if head > TOLERANCE || event > TOLERANCE {
            return Err(format!("the head came after {head:?}, an event after {event:?}, on the median").into());
        }
        Ok(())
    });
}

fn median(delays: &mut [Duration]) -> Duration {
    delays.sort();
    delays.get(delays.len() / 2).copied().unwrap_or_default()
}
