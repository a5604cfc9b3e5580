//! Responses that are no streams, without any framework's types.

use bytes::Bytes;
use serde::Serialize;

/// A whole response.
#[derive(Debug)]
pub(crate) struct Plain {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: Bytes,
}

impl Plain {
    pub(crate) const fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    pub(crate) fn text(status: u16, text: impl Into<Bytes>) -> Self {
        Self::typed(status, "text/plain; charset=utf-8", text)
    }

    pub(crate) fn html(text: &'static str) -> Self {
        Self::typed(200, "text/html; charset=utf-8", text)
    }

    pub(crate) fn json(status: u16, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::typed(status, "application/json", body),
            Err(error) => Self::text(500, error.to_string()),
        }
    }

    /// 400 with `{"error":"..."}`.
    pub(crate) fn bad_request(error: impl std::fmt::Display) -> Self {
        Self::json(400, &serde_json::json!({ "error": error.to_string() }))
    }

    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        Self { status: 405, headers: vec![("allow", allow)], body: Bytes::new() }
    }

    fn typed(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, headers: vec![("content-type", content_type)], body: body.into() }
    }

    /// The response to HEAD. Some frameworks would send the body over HTTP/2.
    pub(crate) fn without_body(mut self) -> Self {
        self.body = Bytes::new();
        self
    }
}

impl From<Plain> for http::Response<Bytes> {
    fn from(plain: Plain) -> Self {
        let mut response = Self::new(plain.body);
        *response.status_mut() = http::StatusCode::from_u16(plain.status).unwrap_or_default();
        for (name, value) in plain.headers {
            response.headers_mut().insert(name, http::HeaderValue::from_static(value));
        }
        response
    }
}
