//! The plan of a step.

use super::Scheduler;
use super::batch::{Batch, Work};

impl Scheduler {
    /// Plans the next step. Not empty while a sequence is left; empty while the previous batch is neither
    /// committed nor failed.
    ///
    /// Tokens go to sequences that need one, then to those that need more, both in order of arrival, and what is
    /// left to those that wait. Blocks go to the oldest first: who finds none takes them from the youngest. So
    /// the oldest sequence advances in every step, and each becomes the oldest in turn.
    pub fn schedule(&mut self) -> Batch {
        if self.in_flight || self.sequences.is_empty() {
            return Batch::default();
        }
        let mut budget = self.limits.max_batch_tokens;
        let grants = self.grant(&mut budget);
        let before = self.counters.preemptions;
        let mut work = self.claim(&grants);
        if self.counters.preemptions == before {
            self.start_waiting(budget, &mut work);
        }
        self.in_flight = true;
        self.counters.steps += 1;
        Batch { work }
    }

    /// Tokens for each running sequence, within the budget.
    fn grant(&self, budget: &mut usize) -> Vec<usize> {
        let pending: Vec<usize> = self.sequences[..self.running].iter().map(|s| s.pending()).collect();
        let mut grants = vec![0; pending.len()];
        for needs_one in [true, false] {
            for (grant, &pending) in grants.iter_mut().zip(&pending) {
                if (pending == 1) == needs_one {
                    *grant = pending.min(*budget);
                    *budget -= *grant;
                }
            }
        }
        grants
    }

    /// Blocks for the granted tokens, from the oldest sequence to the youngest that is left.
    fn claim(&mut self, grants: &[usize]) -> Vec<Work> {
        let mut work = Vec::with_capacity(grants.len());
        for (index, &count) in grants.iter().enumerate() {
            if index < self.running && count > 0 {
                work.extend(self.take(index, count));
            }
        }
        work
    }

    /// Work of `count` tokens for a running sequence, with blocks of the youngest where no other is available;
    /// `None` if that took the sequence's own.
    fn take(&mut self, index: usize, count: usize) -> Option<Work> {
        let block_size = self.limits.block_size;
        while !self.sequences[index].has_room(count, block_size) {
            match self.blocks.allocate() {
                Some(block) => self.sequences[index].blocks.push(block),
                None => self.preempt_youngest(),
            }
            if index >= self.running {
                return None;
            }
        }
        Some(self.sequences[index].plan(count, block_size))
    }

    fn preempt_youngest(&mut self) {
        self.running -= 1;
        self.sequences[self.running].give_back(&mut self.blocks);
        self.counters.preemptions += 1;
    }

    /// Lets the first in the queue run while budget, places and blocks last. Nobody overtakes it.
    fn start_waiting(&mut self, mut budget: usize, work: &mut Vec<Work>) {
        while budget > 0 && self.running < self.limits.max_batch_sequences.min(self.sequences.len()) {
            if !self.start_next() {
                break;
            }
            let index = self.running - 1;
            let count = self.sequences[index].pending().min(budget);
            budget -= count;
            work.extend(self.take(index, count));
        }
    }

    /// Lets the first in the queue run, on blocks that hold its start if there are some; false if there is no
    /// room for all that it knows.
    fn start_next(&mut self) -> bool {
        let block_size = self.limits.block_size;
        let next = &self.sequences[self.running];
        let prefix = self.blocks.longest_prefix(next.reusable(), block_size);
        let wanted = next.blocks_wanted(0, block_size) - prefix.len() + self.blocks.unused(&prefix);
        if self.running > 0 && self.blocks.available() < wanted + self.promised() {
            return false;
        }
        for node in &prefix {
            self.blocks.share(node.block);
        }
        let cached = self.sequences[self.running].start(&prefix, block_size);
        self.counters.cached_tokens += cached as u64;
        self.running += 1;
        true
    }

    /// Blocks that the running sequences will take soon: for what they know and one block's worth of tokens
    /// more. Handing these out would only lead to a preemption.
    fn promised(&self) -> usize {
        let block_size = self.limits.block_size;
        self.sequences[..self.running].iter().map(|s| s.blocks_wanted(block_size, block_size)).sum()
    }
}
