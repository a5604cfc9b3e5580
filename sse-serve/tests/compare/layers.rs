//! Layers around the body see every frame, also of a body that left hyper.

use crate::client::exchange;
use crate::servers::{AXUM, SERVERS};
use crate::{get, last, same, same_bytes};
use std::io::Read;

#[test]
fn compressed_body_is_complete() {
    let requests = last("/compressed/text/400").replace("host:", "accept-encoding: gzip\r\nhost:");
    let unpack = |at| {
        let exchange = exchange(at, requests.as_bytes());
        let response = &exchange.responses[0];
        assert!(response.head.contains("content-encoding: gzip"));
        let mut text = String::new();
        flate2::read::GzDecoder::new(&response.body[..]).read_to_string(&mut text).unwrap();
        (response.head.clone(), text, response.whole)
    };
    let expected = unpack(AXUM.at);
    assert!(expected.1.contains("line 399 "));
    for server in &*SERVERS {
        assert_eq!(unpack(server.at), expected, "{}", server.name);
    }
}

#[test]
fn event_stream_behind_compression_is_left_alone() {
    let request = get("/compressed/counted/100").replace("host:", "accept-encoding: gzip\r\nhost:");
    same(&(request + &last("/plain")));
}

#[test]
fn traced_and_mapped_frames_are_the_same() {
    same_bytes(&(get("/traced/frames/12") + &last("/mapped/frames/12")));
}

#[test]
fn body_within_its_timeout_is_complete() {
    same_bytes(&last("/timed/frames/12"));
}

#[test]
fn body_that_exceeds_its_timeout_has_no_last_chunk() {
    let exchange = same(&get("/timed/hangs"));
    assert_eq!((exchange.responses[0].whole, &exchange.responses[0].body[..]), (false, &b"one"[..]));
}
