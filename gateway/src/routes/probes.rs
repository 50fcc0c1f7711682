//! `/livez`, `/readyz` and `/metrics`: for machines, without a key.

use http::StatusCode;
use metrics::{counter, gauge};

use crate::reply::{self, Response};
use crate::stack::Gateway;

/// 200 as long as the process answers at all.
pub fn livez() -> Response {
    reply::text(StatusCode::OK, "ok\n")
}

/// 200 once requests are answered; 503 while the model loads and while the server drains.
pub fn readyz(gateway: &Gateway) -> Response {
    match (gateway.drain.begun(), gateway.model.get()) {
        (true, _) => reply::text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        (false, None) => reply::text(StatusCode::SERVICE_UNAVAILABLE, "loading\n"),
        (false, Some(_)) => reply::text(StatusCode::OK, "ok\n"),
    }
}

/// What was counted, in Prometheus's text format.
pub fn metrics(gateway: &Gateway) -> Response {
    if let Some(model) = gateway.model.get() {
        engine_gauges(gateway, model);
    }
    gauge!("frontdesk_draining").set(u8::from(gateway.drain.begun()));
    gauge!("frontdesk_knowledge_passages").set(gateway.knowledge.len() as f64);
    gauge!("frontdesk_knowledge_version").set(gateway.knowledge.version() as f64);
    reply::text(StatusCode::OK, gateway.metrics.render())
}

fn engine_gauges(gateway: &Gateway, model: &crate::chat::Model) {
    let stats = model.engine.stats();
    let scheduler = stats.scheduler;
    let blocks = scheduler.blocks_free + scheduler.blocks_cached + scheduler.blocks_referenced;
    // Generations that nobody waits for: with no request in flight, whatever the engine holds.
    let orphans = if gateway.admission.in_flight() == 0 { stats.in_flight } else { 0 };
    let figures = [
        ("frontdesk_engine_running", scheduler.running),
        ("frontdesk_engine_waiting", scheduler.waiting),
        ("frontdesk_engine_in_flight", stats.in_flight),
        ("frontdesk_engine_orphans", orphans),
        ("frontdesk_engine_blocks_total", blocks),
        ("frontdesk_engine_blocks_free", scheduler.blocks_free),
        ("frontdesk_engine_blocks_cached", scheduler.blocks_cached),
        ("frontdesk_engine_blocks_used", scheduler.blocks_referenced),
    ];
    figures.into_iter().for_each(|(name, figure)| gauge!(name).set(figure as f64));
    let sums = [
        ("frontdesk_engine_steps_total", scheduler.counters.steps),
        ("frontdesk_engine_failed_steps_total", stats.failed_steps),
        ("frontdesk_engine_preemptions_total", scheduler.counters.preemptions),
        ("frontdesk_engine_batch_tokens_total", stats.batch_tokens),
    ];
    sums.into_iter().for_each(|(name, sum)| counter!(name).absolute(sum));
}
