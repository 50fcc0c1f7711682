//! Who computes which tokens in the next step, in which blocks: a pure state machine, with no clock, channel,
//! device or log.
//!
//! There is no prefill phase and no decode phase. A sequence has *known* tokens (its prompt and what was drawn)
//! and *computed* ones (their keys and values are in its blocks); a step hands out tokens so that the second
//! catch up with the first. A long prompt in chunks, a prefix found in the cache, coming back after a
//! preemption and drawing token by token are this one rule.
//!
//! [`Scheduler::schedule`] plans a step (`schedule.rs`), [`Scheduler::commit`] takes its outcome (`commit.rs`).
//! Blocks are kept by `blocks.rs`, what they hold for others by `prefix.rs`.

mod audit;
pub mod batch;
mod blocks;
mod commit;
mod limits;
mod prefix;
mod schedule;
mod sequence;
mod stats;

pub use limits::Limits;
pub use stats::{Counters, Stats};

use crate::api::{Rejected, Request};
use batch::SequenceId;
use blocks::Blocks;
use sequence::Sequence;

/// Every unfinished sequence, and the blocks they share.
#[derive(Debug)]
pub struct Scheduler {
    limits: Limits,
    /// In order of arrival, so in order of their ids. The first `running` hold blocks; the rest wait for them.
    sequences: Vec<Sequence>,
    running: usize,
    blocks: Blocks,
    next_id: SequenceId,
    /// Between `schedule` and the `commit` or `fail` of its batch.
    in_flight: bool,
    counters: Counters,
}

impl Scheduler {
    /// A scheduler without sequences; every block is free.
    pub fn new(limits: Limits) -> Self {
        let limits = limits.in_range();
        Self {
            limits,
            sequences: Vec::new(),
            running: 0,
            blocks: Blocks::new(limits.block_count),
            next_id: 0,
            in_flight: false,
            counters: Counters::default(),
        }
    }

    /// Puts a request at the end of the queue. Ids ascend in order of arrival.
    ///
    /// # Errors
    /// What [`Limits::admit`] says, and [`Rejected::QueueFull`].
    pub fn submit(&mut self, request: Request) -> Result<SequenceId, Rejected> {
        self.limits.admit(&request)?;
        let limit = self.limits.places();
        if self.sequences.len() >= limit {
            return Err(Rejected::QueueFull { limit });
        }
        let id = self.next_id;
        self.next_id += 1;
        self.sequences.push(Sequence::new(id, request, self.limits.sequence_capacity()));
        Ok(id)
    }

    /// Ends a sequence without an event. Its blocks are free at once, or at the commit of the step that is
    /// computing it. An unknown id is one that has ended already: nothing happens.
    pub fn cancel(&mut self, id: SequenceId) {
        let Some(index) = self.index_of(id) else { return };
        if self.sequences[index].in_flight {
            self.sequences[index].cancelled = true;
        } else {
            self.remove(index);
        }
    }

    /// Whether no sequence is left: nothing to do until the next `submit`.
    pub fn is_idle(&self) -> bool {
        self.sequences.is_empty()
    }

    /// What it keeps to.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The account of now.
    pub fn stats(&self) -> Stats {
        Stats {
            running: self.running,
            waiting: self.sequences.len() - self.running,
            blocks_free: self.blocks.free(),
            blocks_cached: self.blocks.cached(),
            blocks_referenced: self.blocks.referenced(),
            counters: self.counters,
        }
    }

    fn index_of(&self, id: SequenceId) -> Option<usize> {
        self.sequences.binary_search_by_key(&id, |sequence| sequence.id).ok()
    }

    fn remove(&mut self, index: usize) -> Sequence {
        let mut sequence = self.sequences.remove(index);
        if index < self.running {
            self.running -= 1;
        }
        sequence.give_back(&mut self.blocks);
        sequence
    }
}

#[cfg(test)]
mod tests;
