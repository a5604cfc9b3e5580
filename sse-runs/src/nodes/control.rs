//! The requests of other nodes to stop and to remove runs of this node.

use super::ledger::control_topic;
use crate::active::StopCause;
use crate::inner::RunsInner;
use sse_core::Hub;
use sse_core::hub::{Heard, TopicBounds};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A request is heard at once, or the listener hears a gap, so few are kept.
const KEPT_REQUESTS: usize = 256;

/// The wait after the hub had no room for the topic, or the topic was removed.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn listen(runs: Weak<RunsInner>, hub: Hub) {
    loop {
        let Some(topic) = runs.upgrade().map(|runs| control_topic(&runs.settings.prefix)) else { return };
        let bounds = TopicBounds::new().events(KEPT_REQUESTS);
        if let (Ok(_topic), Ok(mut listener)) = (hub.topic_with(&topic, bounds), hub.listen(topic.as_str())) {
            while let Some(heard) = listener.next().await {
                let Some(runs) = runs.upgrade() else { return };
                match heard {
                    Heard::Event(_, event) => apply(&runs, &event.event_type, &event.data),
                    Heard::Gap(_) => runs.nodes.iter().for_each(|nodes| nodes.must_compare.notify_one()),
                    _ => break,
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn apply(runs: &Arc<RunsInner>, request: &str, data: &str) {
    let Some((token, id)) = data.split_once(' ') else { return };
    let Some(run) = runs.active.get(id) else { return };
    // A request for an earlier attempt does not concern this one.
    if run.claim.as_ref().is_none_or(|claim| *claim.token != *token) {
        return;
    }
    match request {
        "stop" => drop(run.stop(StopCause::Requested)),
        "remove" => {
            run.replace_cause(StopCause::Removed);
            runs.active.free_id(id, &run);
        }
        _ => {}
    }
}
