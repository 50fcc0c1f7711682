//! Every metric, once: its name, its labels (bounded: never a caller, never a text) and what it counts.

use std::time::{Duration, Instant};

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

const REQUESTS: &str = "frontdesk_requests_total";
const OVERHEAD: &str = "frontdesk_overhead_seconds";
const FIRST_TOKEN: &str = "frontdesk_time_to_first_token_seconds";
const STAGE: &str = "frontdesk_stage_seconds";
const TOKENS: &str = "frontdesk_tokens_total";
const CACHE: &str = "frontdesk_cache_lookups_total";
const REDACTIONS: &str = "frontdesk_redactions_total";
const GENERATIONS: &str = "frontdesk_generations_total";
const IN_FLIGHT: &str = "frontdesk_requests_in_flight";
const LOG_LOST: &str = "frontdesk_conversations_lost_total";

/// Starts counting; the handle renders what was counted.
///
/// # Errors
/// A recorder was started before in this process.
pub fn start() -> Result<PrometheusHandle, BuildError> {
    const FAST: &[f64] = &[0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 1.0];
    const SLOW: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(OVERHEAD.to_owned()), FAST)?
        .set_buckets_for_metric(Matcher::Full(STAGE.to_owned()), FAST)?
        .set_buckets_for_metric(Matcher::Full(FIRST_TOKEN.to_owned()), SLOW)?
        .install_recorder()?;
    describe();
    Ok(handle)
}

fn describe() {
    describe_counter!(REQUESTS, "Requests answered, by route and status");
    describe_histogram!(OVERHEAD, "Time a chat request spends in the gateway before the engine has it");
    describe_histogram!(FIRST_TOKEN, "Time from a chat request's arrival to its first text");
    describe_histogram!(STAGE, "Time per stage of a chat request");
    describe_counter!(TOKENS, "Tokens, by kind: prompt, cached, completion");
    describe_counter!(CACHE, "Answer cache lookups, by result");
    describe_counter!(REDACTIONS, "Personal data masked, by kind and direction");
    describe_counter!(GENERATIONS, "Generations, by outcome: finished, cancelled, failed, cached");
    describe_gauge!(IN_FLIGHT, "Chat requests in flight, streams included");
    describe_counter!(
        LOG_LOST,
        "Conversations not logged because the log's queue was full or the store failed"
    );
}

/// A request was answered (for a stream: its head).
pub fn request(route: &'static str, status: u16) {
    counter!(REQUESTS, "route" => route, "status" => status.to_string()).increment(1);
}

/// The engine has it now.
pub fn overhead(since_arrival: Duration) {
    histogram!(OVERHEAD).record(since_arrival);
}

/// The first text goes out now.
pub fn first_token(since_arrival: Duration) {
    histogram!(FIRST_TOKEN).record(since_arrival);
}

/// Times one stage.
pub fn stage<T>(name: &'static str, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    histogram!(STAGE, "stage" => name).record(started.elapsed());
    result
}

/// Tokens of one request.
pub fn tokens(kind: &'static str, count: usize) {
    counter!(TOKENS, "kind" => kind).increment(u64::try_from(count).unwrap_or(u64::MAX));
}

/// A lookup in the answer cache.
pub fn cache_lookup(result: &'static str) {
    counter!(CACHE, "result" => result).increment(1);
}

/// Something was masked.
pub fn redaction(kind: &'static str, direction: &'static str) {
    counter!(REDACTIONS, "kind" => kind, "direction" => direction).increment(1);
}

/// A generation ended.
pub fn generation(outcome: &'static str) {
    counter!(GENERATIONS, "outcome" => outcome).increment(1);
}

/// Chat requests in flight changed by this much.
pub fn in_flight(change: f64) {
    gauge!(IN_FLIGHT).increment(change);
}

/// A conversation could not be logged.
pub fn conversation_lost() {
    counter!(LOG_LOST).increment(1);
}
