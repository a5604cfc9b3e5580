//! Hazards A3 and B8.
//!
//! Any bytes in the headers that decide whether a stream opens give a status or a stream, never a panic, and the same
//! result each time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sse_core::{AcceptMode, Policy, Rejection, Request};

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    method: &'a str,
    query: Option<&'a str>,
    accept: Vec<&'a [u8]>,
    host: Option<&'a [u8]>,
    origin: Option<&'a [u8]>,
    fetch_site: Option<&'a [u8]>,
    mode: u8,
    local: bool,
}

fuzz_target!(|input: Input<'_>| {
    let mode = match input.mode % 3 {
        0 => AcceptMode::Negotiated,
        1 => AcceptMode::Named,
        _ => AcceptMode::Any,
    };
    let policy = if input.local { Policy::local() } else { Policy::default() }.accept(mode);
    let headers = || {
        let accept = input.accept.iter().map(|&line| ("accept", line));
        let others = [("host", input.host), ("origin", input.origin), ("sec-fetch-site", input.fetch_site)];
        accept.chain(others.into_iter().filter_map(|(name, value)| Some((name, value?))))
    };
    let admit = |policy: &Policy| policy.check(&Request::new(input.method, input.query, headers()));
    let outcome = admit(&policy);
    assert_eq!(outcome, admit(&policy));
    match &outcome {
        Ok(admitted) => assert_eq!(admitted.is_get, input.method == "GET"),
        Err(refusal) => {
            assert!([200, 204, 403, 405, 406].contains(&refusal.status()), "{}", refusal.status());
            // No byte of the client comes back in a header of the response.
            assert!(refusal.headers().all(|(_, value)| value.bytes().all(|byte| (b' '..0x7f).contains(&byte))));
        }
    }
    // A policy that requires the type accepts a subset of negotiation, and a policy that ignores `Accept` accepts every
    // request.
    let takes = |mode| !matches!(admit(&policy.clone().accept(mode)), Err(Rejection::NotAcceptable { .. }));
    assert!(takes(AcceptMode::Any));
    assert!(takes(AcceptMode::Negotiated) || !takes(AcceptMode::Named));
});
