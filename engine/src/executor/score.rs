//! The log-probability of every token of a text, and the likeliest ones in its place.

use super::Executor;
use crate::api::TokenId;
use crate::model::Step;
use crate::scheduler::batch::{BlockId, ExecuteError};

/// Positions computed together.
const CHUNK: usize = 64;

/// The distribution after one token of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The token's place, from 0.
    pub position: usize,
    /// The token that follows it, and its natural-log probability; `None` at the end.
    pub next: Option<(TokenId, f32)>,
    /// The likeliest tokens with theirs, best first (the lower id on a tie).
    pub top: Vec<(TokenId, f32)>,
}

/// Why a text could not be scored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ScoreError {
    /// Nothing to score.
    #[error("expected at least one token, found none")]
    Empty,
    /// An id that the model does not know.
    #[error(
        "token {index} is {token}: expected an id below {vocab_size}, the size of the model's vocabulary"
    )]
    Vocabulary {
        /// Its place, from 0.
        index: usize,
        /// The id.
        token: TokenId,
        /// Tokens that the model knows.
        vocab_size: usize,
    },
    /// More tokens than the model or the cache hold.
    #[error("expected at most {limit} tokens, found {found}")]
    TooLong {
        /// The most.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// The model stopped.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
}

impl Executor {
    /// Scores a text, handing each position's result to `take` as it comes. Overwrites the cache.
    ///
    /// # Errors
    /// See [`ScoreError`].
    pub fn score(
        &mut self,
        tokens: &[TokenId],
        top: usize,
        mut take: impl FnMut(Score),
    ) -> Result<(), ScoreError> {
        self.logits(tokens, |position, logits| {
            take(score(logits, position, tokens.get(position + 1).copied(), top));
        })
    }

    /// As [`Executor::score`], but hands out the logits of the whole vocabulary.
    ///
    /// # Errors
    /// See [`ScoreError`].
    pub fn logits(
        &mut self,
        tokens: &[TokenId],
        mut take: impl FnMut(usize, &[f32]),
    ) -> Result<(), ScoreError> {
        self.check(tokens)?;
        let blocks: Vec<BlockId> = (0..tokens.len().div_ceil(self.block_size) as BlockId).collect();
        for (i, chunk) in tokens.chunks(CHUNK).enumerate() {
            let start = i * CHUNK;
            self.forward(Step {
                tokens: chunk.to_vec(),
                positions: (start..start + chunk.len()).collect(),
                sequences: vec![(0..chunk.len(), blocks.clone())],
                wanted: (0..chunk.len()).collect(),
            })?;
            (0..chunk.len()).for_each(|row| take(start + row, self.logits.row(row)));
        }
        Ok(())
    }

    fn check(&self, tokens: &[TokenId]) -> Result<(), ScoreError> {
        let vocab_size = self.config.vocab_size;
        let limit = self.config.context_length.min(self.block_count.saturating_mul(self.block_size));
        if tokens.is_empty() {
            return Err(ScoreError::Empty);
        }
        if tokens.len() > limit {
            return Err(ScoreError::TooLong { limit, found: tokens.len() });
        }
        match tokens.iter().enumerate().find(|&(_, &token)| token as usize >= vocab_size) {
            Some((index, &token)) => Err(ScoreError::Vocabulary { index, token, vocab_size }),
            None => Ok(()),
        }
    }
}

fn score(logits: &[f32], position: usize, next: Option<TokenId>, top: usize) -> Score {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&l| f64::from(l - largest).exp()).sum();
    let logprob = |token: usize| (f64::from(logits[token] - largest) - sum.ln()) as f32;
    let better = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    if top < order.len() {
        order.select_nth_unstable_by(top, better);
        order.truncate(top);
    }
    order.sort_unstable_by(better);
    Score {
        position,
        next: next.map(|token| (token, logprob(token as usize))),
        top: order.into_iter().map(|token| (token, logprob(token as usize))).collect(),
    }
}
