//! The responses: an event stream, a rejection, and the error of a handler.

use crate::{Error, SseResponse, Subscription};
use http::StatusCode;
use sse_core::{HttpBody, Tokio};
use warp::reply::{self, Reply, Response};

/// How a route gets its policy, for the body of 403, 405 and 406.
const ATTACH: &str = "warp::path(name).and(sse_warp::sse(policy)).map(handler)";

impl Reply for Error {
    fn into_response(self) -> Response {
        match self.rejection_or_log() {
            Some(rejection) => respond(rejection.clone().into_http_with(ATTACH)),
            None => {
                let body = reply::with_header(Self::BODY, "cache-control", "no-store");
                reply::with_status(body, StatusCode::INTERNAL_SERVER_ERROR).into_response()
            }
        }
    }
}

impl Reply for SseResponse {
    fn into_response(self) -> Response {
        respond(self.0.into_http_with(ATTACH))
    }
}

impl Reply for Subscription {
    fn into_response(self) -> Response {
        SseResponse::from(self).into_response()
    }
}

/// Makes a body of warp, which takes bytes and streams and no other body.
fn respond(response: http::Response<HttpBody<Tokio>>) -> Response {
    let (head, body) = response.into_parts();
    match body.into_bytes() {
        Ok(bytes) => http::Response::from_parts(head, bytes).into_response(),
        Err(events) => http::Response::from_parts(head, reply::stream(events).into_response().into_body()),
    }
}
