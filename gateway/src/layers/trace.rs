//! Every request has an id, one log line and a count, whatever becomes of it.

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use uuid::Uuid;

use crate::mask::Masker;
use crate::openai::ApiError;
use crate::reply::{self, Response};
use crate::telemetry::metrics;

const ID_BYTES_MAX: usize = 512;

/// A request on its way through the stack.
pub struct Call {
    /// Its id, in the answer's `x-request-id` and in the log.
    pub id: String,
    /// When its head arrived.
    pub arrived: Instant,
    /// The route's name, for log and metrics: bounded, unlike paths.
    pub route: &'static str,
    /// Headers of the answer, be it good or an error.
    pub headers: HeaderMap,
}

impl Call {
    /// A request arrived.
    pub fn begin<T>(request: &Request<T>, masker: &Masker) -> Self {
        let id = clients_id(request.headers(), masker)
            .unwrap_or_else(|| format!("req_{}", Uuid::new_v4().simple()));
        Self { id, arrived: Instant::now(), route: "unknown", headers: HeaderMap::new() }
    }

    /// Sets a header of the answer; text that no header can carry is left out.
    pub fn header(&mut self, name: &'static str, text: &str) {
        if let Ok(value) = HeaderValue::from_str(text) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
    }

    /// The answer as it goes out; for a stream this is its head.
    pub fn end(mut self, outcome: Result<Response, ApiError>) -> Response {
        let millis = self.arrived.elapsed().as_millis().to_string();
        self.header("openai-processing-ms", &millis);
        self.header("openai-version", "2020-10-01");
        let id = std::mem::take(&mut self.id);
        self.header("x-request-id", &id);
        let mut response = outcome.unwrap_or_else(|error| reply::error(&error));
        response.headers_mut().extend(self.headers);
        let status = response.status().as_u16();
        metrics::request(self.route, status);
        log(&id, self.route, status, self.arrived.elapsed());
        response
    }
}

fn log(id: &str, route: &str, status: u16, took: Duration) {
    let millis = took.as_micros() as f64 / 1000.0;
    match (route, status) {
        ("livez" | "readyz" | "metrics", _) => tracing::debug!(id, route, status, millis, "answered"),
        // Busy or draining: nothing is broken.
        (_, 503) => tracing::warn!(id, route, status, millis, "answered"),
        (_, 500..) => tracing::error!(id, route, status, millis, "answered"),
        _ => tracing::info!(id, route, status, millis, "answered"),
    }
}

/// The client's own id, if it is a plain word that names nobody: it ends up in the log.
fn clients_id(headers: &HeaderMap, masker: &Masker) -> Option<String> {
    let id = headers.get("x-client-request-id")?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
    let usable = !id.is_empty() && id.len() <= ID_BYTES_MAX && id.bytes().all(plain);
    (usable && masker.scan(id).is_empty()).then(|| id.to_owned())
}
