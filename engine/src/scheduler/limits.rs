//! What the scheduler keeps to, and which requests can be served within it.

use crate::api::{Rejected, Request};

/// The most sequences that run, and the most that wait. Who waits behind so many is never served in time.
const QUEUE_MAX: usize = 1 << 16;

/// Sizes of the engine, fixed at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Tokens per block.
    pub block_size: usize,
    /// Blocks of the cache.
    pub block_count: usize,
    /// Tokens computed in one step.
    pub max_batch_tokens: usize,
    /// Sequences computed in one step; at most `max_batch_tokens`, so that each can get a token.
    pub max_batch_sequences: usize,
    /// Requests that may wait beyond those of one step.
    pub max_waiting: usize,
    /// Tokens that the model can see: prompt and generated ones together.
    pub context_length: usize,
    /// Tokens that the model knows: ids are below it.
    pub vocabulary_size: usize,
}

impl Limits {
    /// Usual values for what the machine and the model do not dictate.
    pub fn new(block_count: usize, context_length: usize, vocabulary_size: usize) -> Self {
        Self {
            block_size: 16,
            block_count,
            max_batch_tokens: 2048,
            max_batch_sequences: 64,
            max_waiting: 256,
            context_length,
            vocabulary_size,
        }
    }

    /// Requests that the engine holds at once, running or waiting.
    pub fn places(&self) -> usize {
        self.max_batch_sequences + self.max_waiting
    }

    /// The most tokens of one sequence, known and generated: the context, or all blocks together.
    pub fn sequence_capacity(&self) -> usize {
        self.context_length.min(self.block_size.saturating_mul(self.block_count))
    }

    /// Refuses what no amount of waiting would make possible.
    ///
    /// # Errors
    /// [`Rejected::Invalid`] for a value out of range, [`Rejected::TooLong`] for a prompt that leaves no room
    /// for one new token.
    pub fn admit(&self, request: &Request) -> Result<(), Rejected> {
        request.check(self.vocabulary_size)?;
        let needed = request.prompt.len() + 1;
        let limit = self.sequence_capacity();
        if needed > limit { Err(Rejected::TooLong { needed, limit }) } else { Ok(()) }
    }

    /// Sizes of at least one, blocks that a `BlockId` can name, a queue that fits in memory, and no more sequences
    /// in a step than tokens: with that, every running sequence can get a token in every step.
    pub(crate) fn in_range(self) -> Self {
        let max_batch_tokens = self.max_batch_tokens.max(1);
        Self {
            block_size: self.block_size.max(1),
            block_count: self.block_count.min(u32::MAX as usize),
            max_batch_tokens,
            max_batch_sequences: self.max_batch_sequences.clamp(1, max_batch_tokens.min(QUEUE_MAX)),
            max_waiting: self.max_waiting.min(QUEUE_MAX),
            ..self
        }
    }
}
