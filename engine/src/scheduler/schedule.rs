//! The plan of a step.

use super::Scheduler;
use super::batch::{Batch, Work};
use super::sequence::Sequence;
use std::collections::HashSet;

impl Scheduler {
    /// Plans the next step. Not empty while a sequence is left; empty while the previous batch is neither
    /// committed nor failed.
    ///
    /// Every running sequence gets a share of the tokens (see `grant`), except one whose next block another is
    /// about to compute: it waits for that block. Blocks go to the oldest first: who finds none takes them from
    /// the youngest. So the oldest sequence advances in every step, and each becomes the oldest in turn.
    ///
    /// Nor does a short prompt wait for long ones. With `S = max_batch_sequences`, a step has a share of at least
    /// `q = max(1, max_batch_tokens / 2S)` tokens for each prompt. A prompt of `N` tokens has its first token
    /// `ceil(N / q)` steps after it was submitted, whatever the others do, if a place and blocks are there. Where
    /// `A` older prompts begin as it does, they may leave midway with a block it was waiting for; then it has to
    /// compute that itself: at most `A * ceil(block_size / q)` steps more.
    pub fn schedule(&mut self) -> Batch {
        if self.in_flight || self.sequences.is_empty() {
            return Batch::default();
        }
        self.start_waiting();
        self.catch_up();
        let grants = self.grant();
        let work = self.claim(&grants);
        self.in_flight = true;
        self.counters.steps += 1;
        Batch { work }
    }

    /// Tokens for each running sequence: one for those that need one; equal shares of half of what is left for
    /// those that need more; the other half to those that need the least, so that the short are soon done and
    /// nothing is left over. There are no more sequences than tokens, so a share is at least one.
    fn grant(&self) -> Vec<usize> {
        let pending: Vec<usize> = self.sequences[..self.running].iter().map(Sequence::pending).collect();
        let mut grants: Vec<usize> = pending.iter().map(|&pending| usize::from(pending == 1)).collect();
        let mut budget = self.limits.max_batch_tokens - grants.iter().sum::<usize>();
        let mut prompts = self.leaders();
        let share = (budget / 2 / prompts.len().max(1)).max(1);
        for &index in &prompts {
            grants[index] = pending[index].min(share);
            budget -= grants[index];
        }
        prompts.sort_by_key(|&index| (pending[index], index));
        for &index in &prompts {
            let more = (pending[index] - grants[index]).min(budget);
            grants[index] += more;
            budget -= more;
        }
        grants
    }

    /// The running sequences that need more than one token, oldest first, without those at the start of a block
    /// that an older one is computing: they find it in the cache when it is done.
    fn leaders(&self) -> Vec<usize> {
        let block_size = self.limits.block_size;
        let mut taken = HashSet::new();
        let mut leaders = Vec::new();
        for (index, sequence) in self.sequences[..self.running].iter().enumerate() {
            let is_first = sequence.next_block(block_size).is_none_or(|block| taken.insert(block));
            if sequence.pending() > 1 && (is_first || !sequence.is_at_block_start(block_size)) {
                leaders.push(index);
            }
        }
        leaders
    }

    /// Gives the running sequences the blocks that others have computed since they started.
    fn catch_up(&mut self) {
        for sequence in &mut self.sequences[..self.running] {
            let cached = sequence.catch_up(self.limits.block_size, &mut self.blocks);
            self.counters.cached_tokens += cached as u64;
        }
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

    /// Lets the first in the queue run while places and blocks last. Nobody overtakes it.
    ///
    /// Blocks are left for all that the running sequences know, so no step preempts whom it lets run.
    fn start_waiting(&mut self) {
        while self.running < self.limits.max_batch_sequences.min(self.sequences.len()) && self.start_next() {}
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
