//! Publishes numbers to a topic.

use super::Result;
use crate::client::Request;
use crate::{Target, failure};
use std::net::SocketAddr;

/// Publishes `count` numbers from `first` on, each padded to this many bytes, all in one request.
///
/// # Errors
/// The server rejects the request.
pub fn publish(server: SocketAddr, first: u64, count: u64, bytes: usize) -> Result {
    let events: Vec<_> = (first..first + count)
        .map(|number| {
            let padding = "x".repeat(bytes.saturating_sub(number.to_string().len() + 1));
            serde_json::json!({ "topic": "load", "data": format!("{number} {padding}") })
        })
        .collect();
    let target = Target::new(&format!("http://{server}"))?;
    let body = serde_json::to_vec(&events)?;
    let answer =
        target.read(&Request::new("POST", "/publish").header("content-type", "application/json").body(body))?;
    failure::check(answer.head.status == 200, || format!("not published: {}", answer.head))?;
    Ok(())
}
