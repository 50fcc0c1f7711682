//! What the operator of a server sees: one log line a request, and metrics. Neither ever holds a text.

pub mod metrics;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use crate::config::LogConfig;

/// Starts logging to standard error.
pub fn start_logging(config: &LogConfig) {
    let filter = EnvFilter::try_new(&config.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_timer(SystemTime)
        .with_target(false);
    // A second start (tests in one process) keeps the first: nothing is lost by that.
    let _already_started = match config.json {
        true => lines.json().flatten_event(true).try_init(),
        false => lines.with_ansi(false).try_init(),
    };
}
