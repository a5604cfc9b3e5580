//! IDs that no server issued. Each must give a gap, and cost no more than a request without an ID.

use super::resumption::{RESUMES, RETRY};
use super::topics::{Follow, patience, publish, topic};
use crate::client::Seen;
use crate::failure::{check, same_json, show};
use crate::{Case, Failure, Group, Target, Verdict};
use sse_test_support::reader::Change;

const UNKNOWN: &str = "After an unknown ID the event `gap` with the data `{\"reason\":\"unknown\"}` is the first to tell a position, and the stream goes on as for a fresh client.";

const TAGS: &str = "The tag of an event ID belongs to that event: `<position>-<tag>` with another event's tag, or a position that was never issued, is `x-resumption: gap`.";

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, ids: fn(&Target) -> Result<Vec<Vec<u8>>, Failure>| {
        let source = if name == "tag_of_another_event_is_a_gap" { TAGS } else { UNKNOWN };
        Case::on(Group::Resumption, name, promise, source, move |target| {
            ids(target)?.into_iter().try_for_each(|id| gap(target, &[&id]))
        })
    };
    vec![
        case("forged_id_is_a_gap", "an ID that was never issued is a gap", |_| {
            Ok(bytes(&["0", "1", "x", "-", "end-of-time", "0-0"]))
        }),
        case(
            "tag_of_another_event_is_a_gap",
            "an ID with another event's tag, or with a position that was never issued, is a gap",
            |target| {
                let name = topic("tags");
                let (one, other) = (publish(target, &name, "1")?, publish(target, &name, "2")?);
                // In an ID of two parts, such as `<position>-<tag>`, the last part is the tag.
                let parts = |id: &str| {
                    let at = id.rfind(['-', '.', '_'])?;
                    Some((id[..=at].to_owned(), id[at + 1..].to_owned()))
                };
                let (Some((position, tag)), Some((later, other_tag))) = (parts(&one), parts(&other)) else {
                    return Ok(Vec::new());
                };
                let never = |tag: &str| format!("0{}{tag}", &position[position.len() - 1..]);
                let swapped =
                    [format!("{position}{other_tag}"), format!("{later}{tag}"), never(&tag), never(&other_tag)];
                Ok(swapped.map(String::into_bytes).into())
            },
        ),
        case("id_ahead_of_the_history_is_a_gap", "an ID ahead of the history is a gap", |target| {
            let id = publish(target, &topic("future"), "x")?;
            Ok(bytes(&[&counted_up(&id), &counted_up(&counted_up(&id))]))
        }),
        case("nearly_equal_id_is_a_gap", "an ID that differs by one character is a gap", |target| {
            let id = publish(target, &topic("almost"), "x")?;
            let cut = &id[..id.len() - 1];
            Ok(bytes(&[&format!("0{id}"), &format!("+{id}"), &format!("{id}0"), &format!("{id}-"), cut]))
        }),
        case("oversize_id_is_a_gap", "an ID of more than 128 bytes is a gap, and no error", |target| {
            let id = publish(target, &topic("oversize"), "x")?;
            Ok(bytes(&["9".repeat(129).as_str(), &"x".repeat(4000), &format!("{}{id}", "0".repeat(200))]))
        }),
        case("id_that_is_not_utf8_is_a_gap", "an ID that is not UTF-8 is a gap, and no error", |_| {
            Ok(vec![b"\xff\xfe".to_vec(), b"1-\xc3".to_vec(), b"\x80".to_vec()])
        }),
        case("number_beyond_64_bits_is_a_gap", "an ID with a number beyond 64 bits is a gap", |_| {
            Ok(bytes(&["18446744073709551616-00000000", "99999999999999999999999999.0-00000000", "-1-00000000"]))
        }),
        Case::on(
            Group::Resumption,
            "two_different_ids_are_a_gap",
            "two headers with different IDs are a gap",
            UNKNOWN,
            |target| {
                let name = topic("two");
                let (one, other) = (publish(target, &name, "1")?, publish(target, &name, "2")?);
                gap(target, &[one.as_bytes(), other.as_bytes()])
            },
        ),
        Case::on(
            Group::Resumption,
            "repeated_id_counts_once",
            "two headers with the same ID count as one",
            RESUMES,
            |target| {
                let name = topic("one");
                let id = publish(target, &name, "1")?;
                publish(target, &name, "2")?;
                let mut stream = Follow::of([&name]).after(&id).after(&id).expect(target, "resumed")?;
                let seen = stream.read_events(1, patience())?;
                check(seen.data() == ["2"], || show(stream.body()))
            },
        ),
        Case::on(
            Group::Resumption,
            "id_in_the_query_resumes",
            "`lastEventId` in the query is the last event ID if the header is absent or empty",
            "`lastEventId` in the query is the last event ID of a GET if the header is absent or empty.",
            in_the_query,
        ),
        Case::on(
            Group::Resumption,
            "last_event_id_end_is_204",
            "a request for topics with the last event ID `end` is answered 204, and opens no stream",
            "`finish` moves the last event ID to `end` and ends the stream; a GET that brings the ID `end` is answered 204.",
            |target| {
                let head = target.read(&Follow::of([&topic("end")]).after("end").request())?.head;
                let none = head.status == 204 && !head.has("x-stream-id") && !head.has("x-resumption");
                check(none, || head.to_string())
            },
        ),
        Case::on(
            Group::Resumption,
            "from_applies_after_an_unknown_id",
            "after the gap of an unknown ID, `from` applies as for a fresh client",
            UNKNOWN,
            then_fresh,
        ),
    ]
}

fn bytes(ids: &[&str]) -> Vec<Vec<u8>> {
    ids.iter().map(|id| id.as_bytes().to_vec()).collect()
}

/// The ID with a much larger first number: an ID far ahead, however the server spells IDs.
fn counted_up(id: &str) -> String {
    let digits = id.bytes().take_while(u8::is_ascii_digit).count();
    format!("9{}{}", "0".repeat(digits.clamp(6, 17)), &id[digits..])
}

/// The stream must open with `retry` alone. Then come the gap, with the position to resume from, and live events.
fn gap(target: &Target, ids: &[&[u8]]) -> Verdict {
    let shown = || ids.iter().map(|id| show(id)).collect::<Vec<_>>().join(" and ");
    let name = topic("unknown");
    publish(target, &name, "before")?;
    let follow = ids.iter().fold(Follow::of([&name]), Follow::after_ref);
    let mut stream = follow.expect(target, "gap").map_err(|failure| failure.at(shown()))?;
    let seen = stream.read_events(1, patience())?;
    let position = seen.last_event_id.clone().unwrap_or_default();
    let first = &seen.events[0];
    let gap = first.event_type == "gap" && same_json(&first.data, r#"{"reason":"unknown"}"#);
    // The gap must have the first position, after the reconnection time.
    let [Change::Retry(ms), Change::Event(_), ..] = stream.reader().changes() else {
        return Err(Failure::new(format_args!(
            "for the ID {}: not a retry followed by the gap: {}",
            shown(),
            show(stream.body())
        )));
    };
    check(gap && !position.is_empty() && RETRY.contains(ms), || {
        format!("for the ID {}: {}", shown(), show(stream.body()))
    })?;
    publish(target, &name, "after")?;
    let seen = stream.read_events(2, patience())?;
    check(seen.data()[1..] == ["after"], || format!("for the ID {}: {}", shown(), show(stream.body())))?;
    // The ID of the gap is a position like any other.
    let mut again = Follow::of([&name]).after(position).expect(target, "resumed")?;
    let seen = again.read_events(1, patience())?;
    check(seen.data() == ["after"], || format!("after the ID of the gap: {}", show(again.body())))
}

fn in_the_query(target: &Target) -> Verdict {
    let name = topic("query");
    let ids = [publish(target, &name, "1")?, publish(target, &name, "2")?];
    let resumed = [
        Follow::of([&name]).query("lastEventId", &ids[0]),
        Follow::of([&name]).query("lastEventId", &ids[0]).after(""),
        Follow::of([&name]).query("lastEventId", "forged").after(&ids[0]),
    ];
    for follow in resumed {
        let mut stream = follow.expect(target, "resumed")?;
        let seen = stream.read_events(1, patience())?;
        check(seen.data() == ["2"], || show(stream.body()))?;
    }
    Follow::of([&name]).query("lastEventId", "forged").expect(target, "gap").map(drop)
}

fn then_fresh(target: &Target) -> Verdict {
    let name = topic("then");
    let ids = [publish(target, &name, "1")?, publish(target, &name, "2")?];
    let mut stream = Follow::of([&name]).from("last:1").after("forged").expect(target, "gap")?;
    let Seen { events, .. } = stream.read_events(2, patience())?;
    let gap = events[0].event_type == "gap" && same_json(&events[0].data, r#"{"reason":"unknown"}"#);
    check(gap && events[1].data == "2", || show(stream.body()))?;
    // A client that is cut off after the gap must still receive the events after the gap.
    let mut again = Follow::of([&name]).after(&events[0].id).expect(target, "resumed")?;
    let seen = again.read_events(1, patience())?;
    check(seen.last_event_id.as_ref() == Some(&ids[1]), || show(again.body()))
}
