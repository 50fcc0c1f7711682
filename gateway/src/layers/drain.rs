//! Draining: a server that was told to stop takes no new requests, and says so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::openai::ApiError;

/// Whether the server drains.
#[derive(Default)]
pub struct Drain(AtomicBool);

impl Drain {
    /// From now on new requests are refused.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it began.
    pub fn begun(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// 503 once it began.
    pub fn refuse_new(&self) -> Result<(), ApiError> {
        match self.begun() {
            true => Err(ApiError::overloaded("The server is shutting down.", Duration::from_secs(1))),
            false => Ok(()),
        }
    }
}
