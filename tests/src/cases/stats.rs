//! The counters.

use super::topics::{Follow, patience, position, publish_all, topic};
use crate::failure::check;
use crate::process::Server;
use crate::{Case, Failure, Group, Target, Verdict};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const COUNTERS: &str = "the hub's counters as JSON, among them `streams` (all attached), `topics`, `held_events`, `held_bytes`, `published`, `delivered`, `lagged`, `gaps`";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::on(
            Group::Stats,
            "every_counter_is_a_number",
            "the counters are numbers under the names of the contract",
            COUNTERS,
            names,
        ),
        Case::on(Group::Stats, "totals_only_grow", "`published`, `delivered` and `gaps` only grow", COUNTERS, grows),
        Case::own(
            Group::Stats,
            "counters_are_exact",
            "the counters of streams, topics and events are exact, and `streams` falls again",
            COUNTERS,
            &[],
            exact,
        ),
    ]
}

const NAMES: [&str; 8] = ["streams", "topics", "held_events", "held_bytes", "published", "delivered", "lagged", "gaps"];

fn counters(target: &Target) -> Result<[u64; 8], Failure> {
    let stats = target.stats()?;
    let mut counters = [0; 8];
    for (counter, name) in counters.iter_mut().zip(NAMES) {
        let value = stats.get(name).and_then(Value::as_u64);
        *counter = value.ok_or_else(|| Failure::new(format_args!("no number {name} in {stats}")))?;
    }
    Ok(counters)
}

fn names(target: &Target) -> Verdict {
    counters(target).map(drop)
}

fn grows(target: &Target) -> Verdict {
    let before = counters(target)?;
    let name = topic("grows");
    let mut stream = Follow::of([&name]).after("forged").expect(target, "gap")?;
    position(&mut stream)?;
    publish_all(target, &json!([{ "topic": name, "data": "1" }, { "topic": name, "data": "2" }]))?;
    stream.read_events(3, patience())?;
    let after = counters(target)?;
    let grew = after[4] >= before[4] + 2 && after[5] >= before[5] + 2 && after[7] > before[7];
    check(grew, || format!("{NAMES:?}\n    before {before:?}\n    after  {after:?}"))
}

fn exact(server: Server) -> Verdict {
    let target = server.target();
    let names = [topic("a"), topic("b")];
    let script = target.script("[]")?;
    let mut streams = [Follow::of([&names[0]]).open(target)?, Follow::of(&names).open(target)?];
    streams.iter_mut().try_for_each(|stream| position(stream).map(drop))?;
    publish_all(target, &json!([{ "topic": names[0], "data": "1" }, { "topic": names[1], "data": "2" }]))?;
    streams[0].read_events(1, patience())?;
    streams[1].read_events(2, patience())?;
    let seen = counters(target)?;
    // The contract does not define how a server counts bytes.
    let expected = [3, 2, 2, seen[3].max(1), 2, 3, 0, 0];
    check(seen == expected, || format!("{NAMES:?}\n    expected {expected:?}\n    received {seen:?}"))?;
    drop((script, streams));
    let deadline = Instant::now() + patience();
    loop {
        let streams = counters(target)?[0];
        if streams == 0 {
            return Ok(());
        }
        check(Instant::now() < deadline, || format!("{streams} streams after all clients have disconnected"))?;
        std::thread::sleep(Duration::from_millis(20));
    }
}
