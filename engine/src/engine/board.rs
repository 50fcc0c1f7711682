//! What the engine's thread shows to the outside.

use crate::scheduler;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// The account of the last step, and sums since the start.
///
/// Forward progress is `scheduler.counters.steps`: if it stands still while `in_flight` is not zero, a step
/// hangs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Sequences, blocks and tokens.
    pub scheduler: scheduler::Stats,
    /// Requests accepted and not ended; never behind, as it is counted outside the step loop.
    pub in_flight: usize,
    /// Steps that the executor could not compute.
    pub failed_steps: u64,
    /// Tokens run through the model.
    pub batch_tokens: u64,
    /// Time spent in the executor.
    pub step_time: Duration,
    /// Of the last step, its tokens.
    pub last_batch_tokens: usize,
    /// Of the last step, its time in the executor.
    pub last_step_time: Duration,
}

/// What the engine does with new requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Takes them.
    Serving,
    /// Takes none; those in flight finish.
    Draining,
    /// Its thread has ended, for this reason.
    Stopped(String),
}

/// Written by the engine's thread, read by anyone.
#[derive(Debug)]
pub(super) struct Board {
    stats: Mutex<Stats>,
    stopped: OnceLock<String>,
}

impl Board {
    pub fn new(scheduler: scheduler::Stats) -> Self {
        Self { stats: Mutex::new(Stats { scheduler, ..Stats::default() }), stopped: OnceLock::new() }
    }

    pub fn stats(&self) -> Stats {
        *self.locked()
    }

    pub fn update(&self, change: impl FnOnce(&mut Stats)) {
        change(&mut self.locked());
    }

    /// The first reason stays.
    pub fn stop(&self, reason: String) {
        self.stopped.get_or_init(|| reason);
    }

    pub fn stopped(&self) -> Option<String> {
        self.stopped.get().cloned()
    }

    /// For those who find the engine's thread gone.
    pub fn why_stopped(&self) -> String {
        self.stopped().unwrap_or_else(|| "its thread ended unexpectedly".into())
    }

    /// The numbers are plain data: right even if a writer panicked between two of them.
    fn locked(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
