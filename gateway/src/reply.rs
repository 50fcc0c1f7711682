//! Responses: a body that is whole or a stream, JSON, and errors in their envelope.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde::Serialize;

use crate::openai::ApiError;

/// What a response carries. Dropping it is how a generation is cancelled.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A response of this server.
pub type Response = http::Response<Body>;

/// A body that is there at once.
pub fn whole(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).boxed_unsync()
}

/// 200 with JSON.
pub fn json(value: &impl Serialize) -> Result<Response, ApiError> {
    let text = serde_json::to_vec(value).map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(with_type(StatusCode::OK, "application/json", text))
}

/// A status with plain text.
pub fn text(status: StatusCode, text: impl Into<Bytes>) -> Response {
    with_type(status, "text/plain; charset=utf-8", text)
}

/// An error in its envelope, with the headers that belong to its status.
pub fn error(error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = with_type(status, "application/json", error.to_json());
    if let Some(wait) = error.retry_after {
        // Rounded up: a client that comes back exactly then must not be too early.
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        insert(&mut response, RETRY_AFTER, &seconds.to_string());
        insert(&mut response, HeaderName::from_static("retry-after-ms"), &wait.as_millis().to_string());
    }
    if let Some(methods) = &error.allow {
        insert(&mut response, ALLOW, methods);
    }
    if status == StatusCode::UNAUTHORIZED {
        insert(&mut response, WWW_AUTHENTICATE, "Bearer");
    }
    response
}

/// Sets a header; text that no header can carry is left out.
pub fn insert(response: &mut Response, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert(name, value);
    }
}

fn with_type(status: StatusCode, media_type: &'static str, text: impl Into<Bytes>) -> Response {
    let mut response = http::Response::new(whole(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
