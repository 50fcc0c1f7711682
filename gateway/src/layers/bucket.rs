//! A bucket that refills smoothly: pure, time comes in as an argument.

use std::time::{Duration, Instant};

/// Holds at most one minute's worth; a fixed window would let twice that through at its edge.
#[derive(Debug, Clone)]
pub struct Bucket {
    per_minute: f64,
    level: f64,
    at: Instant,
}

/// Why something could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Short {
    /// Enough will be there after this long.
    For(Duration),
    /// More than the bucket ever holds.
    Always,
}

impl Bucket {
    /// A full bucket.
    pub fn new(per_minute: u64, now: Instant) -> Self {
        Self { per_minute: per_minute as f64, level: per_minute as f64, at: now }
    }

    /// Takes `amount` whole or not at all.
    pub fn take(&mut self, amount: u64, now: Instant) -> Result<(), Short> {
        self.refill(now);
        let amount = amount as f64;
        if amount > self.per_minute {
            return Err(Short::Always);
        }
        if amount > self.level {
            return Err(Short::For(self.time_for(amount - self.level)));
        }
        self.level -= amount;
        Ok(())
    }

    /// Puts back what was taken and not used.
    pub fn give_back(&mut self, amount: u64) {
        self.level = (self.level + amount as f64).min(self.per_minute);
    }

    /// What could be taken now.
    pub fn left(&self) -> u64 {
        self.level as u64
    }

    /// How long until it is full again.
    pub fn full_in(&self) -> Duration {
        self.time_for(self.per_minute - self.level)
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = (self.level + passed * self.per_minute / 60.0).min(self.per_minute);
        self.at = now;
    }

    fn time_for(&self, amount: f64) -> Duration {
        Duration::from_secs_f64((amount * 60.0 / self.per_minute).clamp(0.0, 60.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refills_smoothly_and_never_above_its_size() {
        let start = Instant::now();
        let mut bucket = Bucket::new(60, start);
        assert_eq!(bucket.take(60, start), Ok(()));
        assert_eq!(bucket.take(1, start), Err(Short::For(Duration::from_secs(1))));
        assert_eq!(bucket.take(2, start + Duration::from_secs(2)), Ok(()));
        let later = start + Duration::from_secs(600);
        assert_eq!(bucket.take(60, later), Ok(()));
        assert!(bucket.take(1, later).is_err());
    }

    #[test]
    fn what_never_fits_says_so() {
        let now = Instant::now();
        assert_eq!(Bucket::new(10, now).take(11, now), Err(Short::Always));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let now = Instant::now();
        let mut bucket = Bucket::new(10, now);
        bucket.take(10, now).unwrap();
        bucket.give_back(4);
        assert_eq!(bucket.left(), 4);
        assert_eq!(bucket.take(4, now), Ok(()));
        bucket.give_back(400);
        assert_eq!((bucket.left(), bucket.full_in()), (10, Duration::ZERO));
    }
}
