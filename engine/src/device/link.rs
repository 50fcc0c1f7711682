//! What joins the ranks of one model: sums and gathers through memory that they share.

use super::Rows;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A rank has stopped, so no rank of this model can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rank of the model has stopped")]
pub struct Severed;

/// One rank's end. Dropping it severs the link for all.
#[derive(Debug)]
pub struct Link {
    rank: usize,
    shared: Arc<Shared>,
}

/// One end for each of `ranks` ranks, which must be used from different threads.
pub fn link(ranks: usize) -> Vec<Link> {
    let shared = Arc::new(Shared {
        parts: (0..ranks).map(|_| Mutex::default()).collect(),
        meeting: Mutex::default(),
        met: Condvar::new(),
    });
    (0..ranks).map(|rank| Link { rank, shared: Arc::clone(&shared) }).collect()
}

#[derive(Debug)]
struct Shared {
    /// What each rank shows the others.
    parts: Vec<Mutex<Vec<f32>>>,
    meeting: Mutex<Meeting>,
    met: Condvar,
}

#[derive(Debug, Default)]
struct Meeting {
    arrived: usize,
    round: u64,
    severed: bool,
}

impl Link {
    /// Which rank this is.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many ranks there are.
    pub fn ranks(&self) -> usize {
        self.shared.parts.len()
    }

    /// Replaces `x` on every rank by the sum over the ranks, always added in the order of the ranks: every rank
    /// gets the same bits.
    pub fn all_reduce(&self, x: &mut Rows) -> Result<(), Severed> {
        if self.ranks() == 1 {
            return Ok(());
        }
        self.show(x.data())?;
        for rank in 0..self.ranks() {
            let part = lock(&self.shared.parts[rank]);
            match rank {
                0 => x.data_mut().copy_from_slice(&part),
                _ => x.data_mut().iter_mut().zip(part.iter()).for_each(|(a, &b)| *a += b),
            }
        }
        self.meet()
    }

    /// Concatenates the ranks' rows into `whole`, in the order of the ranks.
    pub fn gather(&self, part: &Rows, widths: &[usize], whole: &mut Rows) -> Result<(), Severed> {
        self.show(part.data())?;
        let mut start = 0;
        for (rank, &width) in widths.iter().enumerate() {
            let data = lock(&self.shared.parts[rank]);
            let stride = width.next_multiple_of(super::LANES);
            for (r, row) in data.chunks_exact(stride.max(1)).enumerate() {
                whole.row_mut(r)[start..start + width].copy_from_slice(&row[..width]);
            }
            start += width;
        }
        self.meet()
    }

    fn show(&self, data: &[f32]) -> Result<(), Severed> {
        let mut part = lock(&self.shared.parts[self.rank]);
        part.clear();
        part.extend_from_slice(data);
        drop(part);
        self.meet()
    }

    /// Returns when every rank is here.
    fn meet(&self) -> Result<(), Severed> {
        let mut meeting = lock(&self.shared.meeting);
        let round = meeting.round;
        meeting.arrived += 1;
        if meeting.arrived == self.ranks() {
            meeting.arrived = 0;
            meeting.round += 1;
            self.shared.met.notify_all();
        }
        while meeting.round == round && !meeting.severed {
            meeting = self.shared.met.wait(meeting).unwrap_or_else(PoisonError::into_inner);
        }
        if meeting.round == round { Err(Severed) } else { Ok(()) }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        lock(&self.shared.meeting).severed = true;
        self.shared.met.notify_all();
    }
}

/// The data behind a lock is plain numbers, which a panic elsewhere cannot leave half-valid.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[f32]) -> Rows {
        let mut rows = Rows::new(values.len());
        rows.resize(1);
        rows.row_mut(0).copy_from_slice(values);
        rows
    }

    #[test]
    fn every_rank_gets_the_same_sum_and_the_whole_gather() {
        let ends = link(3);
        std::thread::scope(|scope| {
            for end in ends {
                scope.spawn(move || {
                    let me = end.rank() as f32;
                    for _ in 0..100 {
                        let mut x = rows(&[1e8, me, -1e8 * f32::from(end.rank() == 2)]);
                        end.all_reduce(&mut x).unwrap();
                        assert_eq!(x.row(0), [3e8, 3.0, -1e8]);
                        let mut whole = Rows::new(6);
                        whole.resize(1);
                        let part = rows(&vec![me; end.rank() + 1]);
                        end.gather(&part, &[1, 2, 3], &mut whole).unwrap();
                        assert_eq!(whole.row(0), [0.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
                    }
                });
            }
        });
    }

    #[test]
    fn a_lost_rank_frees_the_waiting_ones() {
        let mut ends = link(2);
        let (gone, left) = (ends.remove(1), ends.remove(0));
        let waiting = std::thread::spawn(move || left.all_reduce(&mut rows(&[1.0])));
        drop(gone);
        assert_eq!(waiting.join().unwrap(), Err(Severed));
    }
}
