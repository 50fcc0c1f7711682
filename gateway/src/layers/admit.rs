//! Admission: a chat request holds a permit until the last byte of its answer, or is refused at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::openai::ApiError;
use crate::telemetry::metrics;

/// All permits there are.
pub struct Admission {
    permits: Arc<Semaphore>,
    count: usize,
}

/// The right to be in flight. It moves into the response's body; dropping it gives it back.
pub struct Permit {
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    /// So many requests in flight.
    pub fn new(count: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(count)), count }
    }

    /// A permit, or 429: waiting here would only hide how busy the server is.
    pub fn permit(&self) -> Result<Permit, ApiError> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| {
            ApiError::rate_limited(
                format!("{} requests are in flight, the most that are taken at once.", self.count),
                Duration::from_secs(1),
            )
        })?;
        metrics::in_flight(1.0);
        Ok(Permit { _permit: permit })
    }

    /// Requests in flight now.
    pub fn in_flight(&self) -> usize {
        self.count - self.permits.available_permits()
    }

    /// Resolves when all permits are home.
    pub async fn idle(&self) {
        let all = u32::try_from(self.count).unwrap_or(u32::MAX);
        // Closed never happens: the semaphore lives as long as `self`. Then there is nothing to wait for either.
        let _all_home = self.permits.acquire_many(all).await;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        metrics::in_flight(-1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_permit_too_many_is_refused_and_idle_waits_for_the_last() {
        let admission = Admission::new(1);
        let permit = admission.permit().unwrap();
        assert_eq!(admission.permit().err().unwrap().status, 429);
        assert_eq!(admission.in_flight(), 1);
        drop(permit);
        admission.idle().await;
        assert!(admission.permit().is_ok());
    }
}
