//! Places for requests: the one bound of everything that the engine holds.

use std::sync::Arc;
use tokio::sync::{Notify, Semaphore, TryAcquireError};

/// A fixed number of places.
#[derive(Debug)]
pub(super) struct Places {
    total: usize,
    free: Semaphore,
    /// Told when a place comes home and when the places are closed.
    changed: Notify,
}

/// One taken place; dropping it brings it home.
#[derive(Debug)]
pub(super) struct Place(Arc<Places>);

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPlace {
    Taken,
    Closed,
}

impl Places {
    pub fn new(total: usize) -> Self {
        Self { total, free: Semaphore::new(total), changed: Notify::new() }
    }

    pub fn take(self: &Arc<Self>) -> Result<Place, NoPlace> {
        match self.free.try_acquire() {
            Ok(permit) => permit.forget(),
            Err(TryAcquireError::NoPermits) => return Err(NoPlace::Taken),
            Err(TryAcquireError::Closed) => return Err(NoPlace::Closed),
        }
        Ok(Place(Arc::clone(self)))
    }

    pub fn taken(&self) -> usize {
        self.total - self.free.available_permits()
    }

    /// From now on, places only come home.
    pub fn close(&self) {
        self.free.close();
        self.changed.notify_waiters();
    }

    pub fn are_closed(&self) -> bool {
        self.free.is_closed()
    }

    /// Returns once the places are closed and none is taken.
    pub async fn all_home(&self) {
        loop {
            // Before looking, so that no change between the look and the wait is missed.
            let changed = self.changed.notified();
            if self.are_closed() && self.taken() == 0 {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.free.add_permits(1);
        self.0.changed.notify_waiters();
    }
}
