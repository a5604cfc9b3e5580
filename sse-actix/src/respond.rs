//! The responses: an event stream, a rejection, and the error of a handler.

use crate::framing::{Framing, framing};
use crate::{Error, SseResponse, Subscription};
use actix_web::body::{self, BodyStream, BoxBody};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, ContentType, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError};

/// How a route gets its policy, for the body of 403, 405 and 406.
const ATTACH: &str = "web::resource(path).app_data(policy).to(handler)";

impl Responder for SseResponse {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::from(self);
        let framing = framing(request);
        if framing == Framing::Unsized {
            response.head_mut().no_chunking(true);
        }
        if framing != Framing::Kept {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        response
    }
}

impl Responder for Subscription {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        SseResponse::from(self).respond_to(request)
    }
}

/// For a response that is built by hand. Prefer `respond_to`: only a [`Responder`] receives the request, which decides the
/// framing for HTTP/1.0 and `Upgrade`.
impl From<SseResponse> for HttpResponse {
    fn from(response: SseResponse) -> Self {
        let head = head(response.0.status(), response.0.headers());
        head.set_body(BodyStream::new(response.0.into_body().into_results())).map_into_boxed_body()
    }
}

/// The same as `From<SseResponse>`.
impl From<Subscription> for HttpResponse {
    fn from(subscription: Subscription) -> Self {
        SseResponse::from(subscription).into()
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        let status = self.rejection().and_then(|rejection| StatusCode::from_u16(rejection.status()).ok());
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let Some(rejection) = self.rejection_or_log() else {
            // The request is not known here, and may have asked for an upgrade.
            return HttpResponse::InternalServerError()
                .force_close()
                .insert_header((CACHE_CONTROL, "no-store"))
                .content_type(ContentType::plaintext())
                .body(Self::BODY);
        };
        let mut head = head(rejection.status(), rejection.headers());
        if self.ends_connection {
            head.head_mut().set_connection_type(ConnectionType::Close);
        }
        if rejection.is_head() {
            // A body without a size: an empty body would have a `content-length`, and a stream would be polled for ever.
            return head.set_body(body::None::new()).map_into_boxed_body();
        }
        head.set_body(rejection.body_with(ATTACH)).map_into_boxed_body()
    }
}

/// The core has checked every name and value.
fn head<'n, 'v>(status: u16, headers: impl Iterator<Item = (&'n str, &'v str)>) -> HttpResponse {
    let mut response = HttpResponse::new(StatusCode::from_u16(status).unwrap_or_default());
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            response.headers_mut().append(name, value);
        }
    }
    if status == 200 && !response.headers().contains_key(CONTENT_ENCODING) {
        // For an event stream `Compress` would hold 149 KiB of memory.
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("identity"));
    }
    response
}
