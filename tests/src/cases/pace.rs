//! Streams that write at most once per window.

use super::topics::{Follow, patience, position, publish, publish_all, topic};
use crate::failure::{check, show};
use crate::{Case, Failure, Group, Target, Verdict};
use serde_json::json;
use std::time::{Duration, Instant};

const TOGETHER: &str = "With `pace=MS` an event after a quiet window leaves at once, and the events of the next MS milliseconds leave together at the end of this window.";
const LOSSLESS: &str = "A paced stream has the events, the order and the IDs of another one.";
const WINDOW: Duration = Duration::from_secs(3);
const TOLERANCE: Duration = Duration::from_secs(1);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::on(
            Group::Pace,
            "events_of_a_window_leave_together",
            "the first event leaves at once, and the next ones at the end of the window",
            TOGETHER,
            together,
        )
        .timed(TOLERANCE),
        Case::on(
            Group::Pace,
            "paced_stream_misses_nothing",
            "a paced stream has every event once and in order",
            LOSSLESS,
            lossless,
        ),
        Case::on(
            Group::Pace,
            "paced_stream_resumes",
            "a client resumes on a paced stream without a gap",
            LOSSLESS,
            resumes,
        )
        .with([Group::Resumption]),
        Case::on(
            Group::Pace,
            "window_that_is_no_number_is_400",
            "a window that is no number of milliseconds gets 400",
            "a `pace` that is no number of milliseconds: 400",
            |target| {
                for pace in ["soon", "-1", "1.5"] {
                    let response = target.ask(&Follow::of([&topic("pace")]).query("pace", pace).request())?;
                    check(response.head.status == 400, || format!("pace={pace}: {}", response.head))?;
                }
                Ok(())
            },
        ),
    ]
}

fn paced(name: &String, window: Duration) -> Follow {
    Follow::of([name]).query("pace", &window.as_millis().to_string())
}

fn data(events: &crate::client::Seen) -> Vec<&str> {
    events.events.iter().map(|event| &*event.data).collect()
}

fn together(target: &Target) -> Verdict {
    let name = topic("pace");
    let mut stream = paced(&name, WINDOW).open(target)?;
    position(&mut stream)?;
    publish(target, &name, "1")?;
    stream.read_events(1, patience())?;
    let begun = Instant::now();
    publish(target, &name, "2")?;
    publish(target, &name, "3")?;
    stream.read_events(2, patience())?;
    let waited = begun.elapsed();
    check(waited + TOLERANCE >= WINDOW, || {
        format!("an event came {waited:.1?} after the one before it, and the window is {WINDOW:.1?}")
    })?;
    let seen = stream.read_events(3, patience())?;
    check(data(&seen) == ["1", "2", "3"], || format!("{:?}: {}", data(&seen), show(stream.body())))?;
    let apart = begun.elapsed() - waited;
    check(apart + TOLERANCE < WINDOW, || format!("the third event came {apart:.1?} after the second, in another write"))
}

/// Publishes this many events, and returns their data and the last ID.
fn flood(target: &Target, name: &str, count: usize) -> Result<(Vec<String>, String), Failure> {
    let data: Vec<_> = (0..count).map(|n| n.to_string()).collect();
    let mut last = None;
    for part in data.chunks(20) {
        let events: Vec<_> = part.iter().map(|data| json!({ "topic": name, "data": data })).collect();
        last = publish_all(target, &json!(events))?.pop();
    }
    Ok((data, last.ok_or_else(|| Failure::new("no ID"))?))
}

fn lossless(target: &Target) -> Verdict {
    let name = topic("pace");
    let mut stream = paced(&name, Duration::from_millis(20)).open(target)?;
    position(&mut stream)?;
    let (sent, last) = flood(target, &name, 1000)?;
    let seen = stream.read_events(sent.len(), patience())?;
    check(data(&seen) == sent, || format!("other events: {:?}", data(&seen)))?;
    check(seen.last_event_id.as_deref() == Some(&*last), || format!("{:?}, not {last}", seen.last_event_id))
}

fn resumes(target: &Target) -> Verdict {
    let name = topic("pace");
    let window = Duration::from_millis(200);
    let mut stream = paced(&name, window).open(target)?;
    position(&mut stream)?;
    let (sent, _) = flood(target, &name, 100)?;
    let seen = stream.read_events(1, patience())?;
    drop(stream);
    let (id, read) = (seen.last_event_id.clone().unwrap_or_default(), seen.events.len());
    let mut stream = paced(&name, window).after(id).expect(target, "resumed")?;
    let rest = stream.read_events(sent.len() - read, patience())?;
    check(data(&rest) == sent[read..], || format!("after {read} of {}: {:?}", sent.len(), data(&rest)))
}
