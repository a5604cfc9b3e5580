//! The responses: an event stream, a rejection, and the error of a handler.

use crate::{Error, SseResponse, Subscription};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use sse_core::Tokio;

/// How a route gets its policy, for the body of 403, 405 and 406.
const ATTACH: &str = "any(handler).layer(Extension(policy))";

impl IntoResponse for SseResponse {
    fn into_response(self) -> Response {
        self.0.into_http_with(ATTACH).map(Body::new)
    }
}

impl IntoResponse for Subscription {
    fn into_response(self) -> Response {
        SseResponse::from(self).into_response()
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        match self.rejection_or_log() {
            Some(rejection) => rejection.clone().into_http_with::<Tokio>(ATTACH).map(Body::new),
            None => (StatusCode::INTERNAL_SERVER_ERROR, [(CACHE_CONTROL, "no-store")], Self::BODY).into_response(),
        }
    }
}
