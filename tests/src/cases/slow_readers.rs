//! Clients that do not read, and other clients, which must not wait for them.

use super::disconnect::{OTHERWISE, SLACK, otherwise};
use super::framing::READS;
use super::topics::{Follow, patience, position, publish, topic};
use crate::client::Request;
use crate::failure::{alike, check};
use crate::{Case, Failure, Group, Target, Verdict};
use std::time::Duration;

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, source, run: fn(&Target) -> Verdict| {
        Case::on(Group::SlowReaders, name, promise, source, run)
    };
    vec![
        case(
            "stalled_client_does_not_delay_others",
            "a client that does not read delays neither other clients nor a publish",
            "A client that does not read changes nothing for other clients, nor for `/publish`.",
            beside,
        )
        .with([Group::Resumption, Group::Publish]),
        case(
            "stalled_script_loses_nothing",
            "the events that wait for a slow client arrive complete when the client reads again",
            READS,
            script,
        ),
        case(
            "stalled_client_that_disconnects_is_noticed",
            "a client that disconnects with unread bytes is `gone` within two keep-alive intervals and 1 s",
            OTHERWISE,
            leaves,
        )
        .timed(SLACK),
        case(
            "client_that_reads_few_bytes_receives_all",
            "a client that reads a few bytes at a time receives the same events",
            READS,
            trickle,
        ),
    ]
}

fn beside(target: &Target) -> Verdict {
    const EVENTS: usize = 150;
    let name = topic("beside");
    let mut stalled = target.ask_narrow(&Follow::of([&name]).request())?;
    position(&mut stalled)?;
    let mut fast = (0..20).map(|_| Follow::of([&name]).open(target)).collect::<Result<Vec<_>, _>>()?;
    fast.iter_mut().try_for_each(|stream| position(stream).map(drop))?;
    std::thread::scope(|scope| {
        let readers = fast.iter_mut().map(|stream| {
            scope.spawn(move || -> Verdict {
                let seen = stream.read_events(EVENTS, patience())?;
                let whole = seen.events.iter().enumerate().all(|(at, event)| event.data.ends_with(&format!(" {at}")));
                check(whole, || "a fast client lost an event".to_owned())
            })
        });
        let readers: Vec<_> = readers.collect();
        let text = "s".repeat(20_000);
        for at in 0..EVENTS {
            publish(target, &name, &format!("{text} {at}"))?;
        }
        readers
            .into_iter()
            .try_for_each(|reader| reader.join().map_err(|_| Failure::new("a thread of a client panicked"))?)
    })?;
    let state = target.state(&stalled.stream_id()?)?;
    check(state.active, || format!("every missed event is kept, but the state is {state:?}"))?;
    // The server must keep the unread events for the client.
    stalled.read_events(EVENTS, patience()).map(drop)
}

fn long_script() -> (String, Vec<u8>) {
    let text = "w".repeat(25_000);
    let steps: Vec<_> = (0..300).map(|n| format!(r#"{{"send":{{"data":"{n} {text}"}}}}"#)).collect();
    let events: Vec<_> = (0..300).map(|n| format!("data: {n} {text}\n\n")).collect();
    (format!("[{},{{\"close\":true}}]", steps.join(",")), events.concat().into_bytes())
}

fn script(target: &Target) -> Verdict {
    let (steps, expected) = long_script();
    let mut stream = target.ask_narrow(&Request::fetch(steps))?;
    std::thread::sleep(Duration::from_millis(700));
    stream.read_to_end(patience())?;
    alike("the stream", expected, stream.body())
}

fn leaves(target: &Target) -> Verdict {
    let stream = target.ask_narrow(&Request::fetch(long_script().0))?;
    let id = stream.stream_id()?;
    std::thread::sleep(Duration::from_millis(300));
    drop(stream);
    target.ended(&id, "gone", otherwise(target)?)
}

fn trickle(target: &Target) -> Verdict {
    let (steps, expected) = (r#"[{"send":{"id":"1","data":"a\nb"}},{"send":{"data":"c"}},{"close":true}]"#, "a\nb");
    let mut stream = target.script(steps)?;
    for count in 0.. {
        if stream.is_ended() {
            break;
        }
        stream
            .read_bytes(count, patience())
            .or_else(|failure| if stream.is_ended() { Ok(()) } else { Err(failure) })?;
    }
    check(stream.seen().data() == [expected, "c"], || crate::failure::show(stream.body()))
}
