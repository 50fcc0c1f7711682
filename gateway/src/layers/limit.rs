//! Limits: requests and tokens per minute and caller, and the size of a body.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use moka::sync::Cache;

use super::bucket::{Bucket, Short};
use crate::auth::Caller;
use crate::config::LimitConfig;
use crate::openai::ApiError;

/// Callers remembered at once; one that was silent for longer than its bucket takes to fill is forgotten.
const CALLERS_MAX: u64 = 10_000;
const CALLER_IDLE: Duration = Duration::from_secs(120);

/// The limits of all callers.
pub struct Limits {
    requests: Option<PerCaller>,
    tokens: Option<PerCaller>,
}

impl Limits {
    /// Nobody has used anything yet.
    pub fn new(config: &LimitConfig) -> Self {
        Self {
            requests: config.requests_per_minute.map(|limit| PerCaller::new("requests", limit)),
            tokens: config.tokens_per_minute.map(|limit| PerCaller::new("tokens", limit)),
        }
    }

    /// Counts one request.
    ///
    /// # Errors
    /// 429 with the time until there is room.
    pub fn count_request(&self, caller: &Caller, headers: &mut HeaderMap) -> Result<(), ApiError> {
        self.requests.as_ref().map_or(Ok(()), |limit| limit.take(caller, 1, headers).map(drop))
    }

    /// Takes the most that a request can use, before it uses anything: charging afterwards lets a burst of
    /// concurrent requests overrun the limit.
    ///
    /// # Errors
    /// 429 with the time until there is room.
    pub fn reserve_tokens(
        &self,
        caller: &Caller,
        tokens: u64,
        headers: &mut HeaderMap,
    ) -> Result<Reservation, ApiError> {
        let bucket = self.tokens.as_ref().map(|limit| limit.take(caller, tokens, headers)).transpose()?;
        Ok(Reservation { bucket, unused: tokens })
    }
}

/// Tokens taken in advance; what was not used goes back when it is dropped.
pub struct Reservation {
    bucket: Option<Arc<Mutex<Bucket>>>,
    unused: u64,
}

impl Reservation {
    /// So many more tokens were used.
    pub fn use_up(&mut self, tokens: u64) {
        self.unused = self.unused.saturating_sub(tokens);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(bucket) = &self.bucket {
            lock(bucket).give_back(self.unused);
        }
    }
}

struct PerCaller {
    what: &'static str,
    per_minute: u64,
    buckets: Cache<String, Arc<Mutex<Bucket>>>,
}

impl PerCaller {
    fn new(what: &'static str, per_minute: u64) -> Self {
        let buckets = Cache::builder().max_capacity(CALLERS_MAX).time_to_idle(CALLER_IDLE).build();
        Self { what, per_minute, buckets }
    }

    fn take(
        &self,
        caller: &Caller,
        amount: u64,
        headers: &mut HeaderMap,
    ) -> Result<Arc<Mutex<Bucket>>, ApiError> {
        let now = Instant::now();
        let new = || Arc::new(Mutex::new(Bucket::new(self.per_minute, now)));
        let bucket = self.buckets.get_with_by_ref(&caller.id, new);
        let taken = {
            let mut bucket = lock(&bucket);
            let taken = bucket.take(amount, now);
            self.announce(&bucket, headers);
            taken
        };
        taken.map(|()| bucket).map_err(|short| self.refusal(short))
    }

    fn refusal(&self, short: Short) -> ApiError {
        let Self { what, per_minute, .. } = self;
        match short {
            Short::For(wait) => ApiError::rate_limited(
                format!("The limit of {per_minute} {what} per minute is reached."),
                wait,
            ),
            Short::Always => ApiError::quota_used_up(format!(
                "One request asks for more than the {per_minute} {what} per minute; lower max_completion_tokens."
            )),
        }
    }

    /// `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, as OpenAI's.
    fn announce(&self, bucket: &Bucket, headers: &mut HeaderMap) {
        let values = [
            ("limit", self.per_minute.to_string()),
            ("remaining", bucket.left().to_string()),
            ("reset", spelled(bucket.full_in())),
        ];
        for (figure, text) in values {
            let name = format!("x-ratelimit-{figure}-{}", self.what);
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&text)) {
                headers.insert(name, value);
            }
        }
    }
}

/// Reads a body of at most the configured size, in at most the configured time.
///
/// # Errors
/// 413, 408 for a client that dawdles, 400 for one that breaks off.
pub async fn read_body(body: Incoming, config: &LimitConfig) -> Result<Bytes, ApiError> {
    let limit_bytes = config.max_body_bytes;
    let announced = hyper::body::Body::size_hint(&body).lower();
    if announced > limit_bytes as u64 {
        return Err(ApiError::too_large(limit_bytes));
    }
    let collected =
        tokio::time::timeout(config.body_timeout, Limited::new(body, limit_bytes).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::too_large(limit_bytes)),
        Ok(Err(_)) => Err(ApiError::invalid_body("The request's body broke off.")),
        Err(_) => Err(ApiError {
            status: 408,
            ..ApiError::invalid_body(format!(
                "The request's body did not arrive within {} seconds.",
                config.body_timeout.as_secs()
            ))
        }),
    }
}

/// `12ms`, `1.5s`, `6m0s`: how OpenAI spells a duration.
fn spelled(duration: Duration) -> String {
    match (duration.as_secs() / 60, duration.as_millis()) {
        (0, millis) if millis < 1000 => format!("{millis}ms"),
        (0, millis) => format!("{}s", millis as f64 / 1000.0),
        (minutes, _) => format!("{minutes}m{}s", duration.as_secs() % 60),
    }
}

fn lock(bucket: &Mutex<Bucket>) -> std::sync::MutexGuard<'_, Bucket> {
    bucket.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(requests: u64, tokens: u64) -> Limits {
        Limits {
            requests: Some(PerCaller::new("requests", requests)),
            tokens: Some(PerCaller::new("tokens", tokens)),
        }
    }

    fn caller(id: &str) -> Caller {
        Caller::with_every_scope(id)
    }

    #[test]
    fn each_caller_has_a_limit_of_its_own() {
        let limits = limits(1, 100);
        let mut headers = HeaderMap::new();
        limits.count_request(&caller("a"), &mut headers).unwrap();
        let refused = limits.count_request(&caller("a"), &mut headers).unwrap_err();
        assert_eq!(refused.status, 429);
        assert!(refused.retry_after.unwrap() > Duration::from_secs(58));
        assert_eq!(headers["x-ratelimit-remaining-requests"], "0");
        limits.count_request(&caller("b"), &mut headers).unwrap();
    }

    #[test]
    fn reserved_tokens_bind_at_once_and_the_unused_come_back() {
        let limits = limits(9, 100);
        let mut headers = HeaderMap::new();
        let mut first = limits.reserve_tokens(&caller("a"), 80, &mut headers).unwrap();
        assert_eq!(limits.reserve_tokens(&caller("a"), 80, &mut headers).err().unwrap().status, 429);
        first.use_up(10);
        drop(first);
        assert!(limits.reserve_tokens(&caller("a"), 80, &mut headers).is_ok());
        let never = limits.reserve_tokens(&caller("a"), 101, &mut headers).err().unwrap();
        assert_eq!(never.code, Some("insufficient_quota"));
    }

    #[test]
    fn durations_are_spelled_as_openai_does() {
        assert_eq!(spelled(Duration::from_millis(12)), "12ms");
        assert_eq!(spelled(Duration::from_millis(1500)), "1.5s");
        assert_eq!(spelled(Duration::from_secs(360)), "6m0s");
    }
}
