//! The plan of one step: plain data, all that the executor sees.

use crate::api::{Sampled, Sampling, TokenId};
use std::sync::Arc;

/// A place for `block_size` tokens of keys and values in every layer.
pub type BlockId = u32;

/// A sequence, for the life of the engine.
pub type SequenceId = u64;

/// What to compute in one step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// One entry per sequence; no sequence twice.
    pub work: Vec<Work>,
}

/// The tokens of one sequence to compute in one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// Whose.
    pub sequence: SequenceId,
    /// Consecutive tokens to run through the model; at least one.
    pub tokens: Vec<TokenId>,
    /// The position of `tokens[0]`; everything before it is already in the cache.
    pub position: usize,
    /// The block table: token p lives in slot `p % block_size` of `blocks[p / block_size]`. Covers
    /// `position + tokens.len()` tokens.
    pub blocks: Vec<BlockId>,
    /// Draw the token after the last of `tokens`; `None` while the prompt is still being computed.
    pub sample: Option<Draw>,
}

/// How to draw the token at `Work::position + Work::tokens.len()`.
#[derive(Debug, Clone, PartialEq)]
pub struct Draw {
    /// The request's sampling.
    pub sampling: Arc<Sampling>,
    /// As in the request.
    pub logprobs: Option<u8>,
    /// Generated tokens and how often, where a penalty needs them; otherwise empty.
    pub counts: Vec<(TokenId, u32)>,
}

/// Runs batches. Two implementations: the real executor, and the simulator's, whose next token is a hash of the
/// context that it reads through the block table.
pub trait Execute {
    /// Computes the batch; one `Sampled` for each work with a draw, in the batch's order.
    fn run(&mut self, batch: &Batch) -> Result<Vec<Sampled>, ExecuteError>;
}

/// A step that could not be computed; every sequence in the batch fails with it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the step could not be computed: {0}")]
pub struct ExecuteError(pub String);
