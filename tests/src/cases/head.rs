//! The head of a stream.

use super::topics::{Follow, topic};
use crate::client::{Head, Request};
use crate::failure::check;
use crate::{Case, Group, Target, Verdict};
use std::collections::BTreeSet;

pub(super) fn cases() -> Vec<Case> {
    let case =
        |name: &str, promise, source, run: fn(&Target) -> Verdict| Case::on(Group::Head, name, promise, source, run);
    vec![
        case(
            "stream_head_has_the_required_headers",
            "the head of a stream names the type, and stops caches and proxies from holding the stream back",
            HEAD,
            headers,
        ),
        case(
            "topic_stream_head_has_the_required_headers",
            "the head of a stream of topics has the same headers, and `x-resumption`",
            HEAD,
            |target| stream_head(&Follow::of([&topic("head")]).expect(target, "fresh")?.head),
        )
        .with([Group::Resumption]),
        case(
            "stream_head_has_chunked_framing",
            "a stream has chunks and no length, and offers no other protocol",
            FRAMING,
            hops,
        ),
        case(
            "stream_id_header_is_a_unique_uuid",
            "`x-stream-id` is a UUID, and differs for each stream",
            "The application gives `/script`, `/fetch` and `/topics` the response header `x-stream-id: UUID`",
            ids,
        ),
        Case::own(
            Group::Head,
            "head_is_sent_before_any_event",
            "the head and the first bytes are sent before any event, so that `open` fires",
            FIRST,
            &["--keep-alive-ms", "0"],
            |server| super::basics::first_bytes(server.target()),
        ),
        case(
            "rejection_is_no_event_stream",
            "an answer of 400 or more has another content type, or none",
            "A rejection is no event stream.",
            errors,
        ),
    ]
}

const HEAD: &str = "The head of a stream has the type `text/event-stream`, `no-store` and `no-transform` in `cache-control`, and \
                    `x-accel-buffering: no`; other headers and other directives are free.";
const FRAMING: &str = "Over HTTP/1.1 a stream has `transfer-encoding: chunked`, no `content-length` and no `upgrade`.";
pub(super) const FIRST: &str = "The head and the first bytes of a stream leave before any event.";

/// A list header as a set: the values of repeated headers together, in lower case.
pub(crate) fn list(head: &Head, name: &str) -> BTreeSet<String> {
    let values = head.headers.iter().filter(|(own, _)| own == name).flat_map(|(_, value)| value.split(','));
    values.map(|value| value.trim().to_ascii_lowercase()).filter(|value| !value.is_empty()).collect()
}

/// Whether the head has the type of an event stream. The charset UTF-8 makes no difference.
pub(crate) fn is_stream(head: &Head) -> bool {
    let content_type = head.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let (content_type, parameters) = content_type.split_once(';').unwrap_or((&content_type, "charset=utf-8"));
    content_type.trim() == "text/event-stream" && parameters.trim().trim_matches('"').ends_with("utf-8")
}

pub(super) fn stream_head(head: &Head) -> Verdict {
    check(is_stream(head), || format!("not the type text/event-stream: {head}"))?;
    let cache = list(head, "cache-control");
    for directive in ["no-store", "no-transform"] {
        check(cache.contains(directive), || format!("no {directive} in cache-control: {head}"))?;
    }
    check(list(head, "x-accel-buffering").contains("no"), || format!("no x-accel-buffering: no in {head}"))
}

fn headers(target: &Target) -> Verdict {
    stream_head(&target.script("[]")?.head)
}

fn hops(target: &Target) -> Verdict {
    let head = target.script("[]")?.head;
    let upgrades = head.has("upgrade") || list(&head, "connection").contains("upgrade");
    check(!head.has("content-length") && !upgrades, || head.to_string())?;
    let chunked = list(&head, "transfer-encoding").into_iter().eq(["chunked".to_owned()]);
    check(chunked, || format!("not chunked: {head}"))
}

fn ids(target: &Target) -> Verdict {
    let (one, other) = (target.script("[]")?.stream_id()?, target.script("[]")?.stream_id()?);
    check(one != other, || format!("twice {one}"))?;
    let groups: Vec<_> = one.split('-').map(str::len).collect();
    let hex = one.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
    check(hex && groups == [8, 4, 4, 4, 12], || format!("no UUID: {one}"))
}

fn errors(target: &Target) -> Verdict {
    let accept = |request: Request, value: &str| request.header("accept", value);
    // The statuses are judged by the groups `eligibility` and `limits`.
    let requests = [
        accept(Request::new("PUT", "/script?steps=[]"), "text/event-stream"),
        accept(Request::get("/script?steps=[]"), "text/html"),
        accept(Request::get("/script?steps=["), "text/event-stream"),
    ];
    for request in requests {
        let head = target.ask(&request)?.head;
        check(head.status < 400 || !is_stream(&head), || format!("a stream: {head}"))?;
    }
    Ok(())
}
