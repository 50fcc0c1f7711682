//! What one asks of the engine and what one gets: plain data.

mod check;

pub use check::{LOGIT_BIAS_MAX, STOP_MAX, TOP_LOGPROBS_MAX};

/// A token of the model's vocabulary.
pub type TokenId = u32;

/// What to generate from which tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The prompt; at least one token.
    pub prompt: Vec<TokenId>,
    /// How the next token is drawn.
    pub sampling: Sampling,
    /// At most this many new tokens (at least 1).
    pub max_tokens: usize,
    /// Tokens that end the sequence. The stop token itself is reported as an event, then `Finished`.
    pub stop: Vec<TokenId>,
    /// How many of the likeliest tokens to report beside each token; `None`: no log-probabilities.
    pub logprobs: Option<u8>,
}

/// How the next token is drawn. The draw depends on (seed, position) alone, never on the batch slot.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// 0 is greedy; otherwise logits are divided by it.
    pub temperature: f32,
    /// Nucleus: the smallest set of likeliest tokens whose probability reaches this. 1 = off.
    pub top_p: f32,
    /// The k likeliest tokens only. 0 = off.
    pub top_k: u32,
    /// Drops tokens less likely than this times the likeliest. 0 = off.
    pub min_p: f32,
    /// Key of the draws.
    pub seed: u64,
    /// OpenAI's: subtracted once per earlier occurrence among the generated tokens.
    pub frequency_penalty: f32,
    /// OpenAI's: subtracted once if the token was generated before.
    pub presence_penalty: f32,
    /// Added to the logits of these tokens.
    pub logit_bias: Vec<(TokenId, f32)>,
}

impl Default for Sampling {
    /// Draws from the model's own distribution: temperature 1, everything else off, seed 0.
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            seed: 0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            logit_bias: Vec::new(),
        }
    }
}

impl Sampling {
    /// Always the likeliest token.
    pub fn greedy() -> Self {
        Self { temperature: 0.0, ..Self::default() }
    }

    /// Whether the tokens generated so far change the logits.
    pub fn has_penalties(&self) -> bool {
        self.frequency_penalty != 0.0 || self.presence_penalty != 0.0
    }
}

/// What happens to a request: `Token`*, then exactly one of `Finished` or `Failed`; nothing after a cancel.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// One more token.
    Token(Sampled),
    /// The end, and why.
    Finished {
        /// Why it ended.
        reason: FinishReason,
        /// What it took.
        usage: Usage,
    },
    /// The end by a fault of ours.
    Failed {
        /// What went wrong, for people.
        message: String,
    },
}

impl Event {
    /// Whether nothing comes after it.
    pub fn is_last(&self) -> bool {
        !matches!(self, Event::Token(_))
    }
}

/// A drawn token.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// The token.
    pub token: TokenId,
    /// Its natural-log probability under the model (before temperature and penalties); 0 when not asked for.
    pub logprob: f32,
    /// The likeliest tokens with theirs, best first; empty when not asked for.
    pub top: Vec<(TokenId, f32)>,
}

/// Why a sequence ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// It drew a stop token.
    Stop,
    /// It reached `max_tokens` or the context's end.
    Length,
}

/// Tokens that a request took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Of these, found in the prefix cache.
    pub cached_tokens: usize,
    /// Tokens generated.
    pub completion_tokens: usize,
}

/// Why a request was not accepted. Nothing was computed for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Every place in the queue is taken: come back later.
    #[error("the engine's queue is full ({limit} requests)")]
    QueueFull {
        /// Requests that the engine holds at once, running or waiting.
        limit: usize,
    },
    /// It could never fit, however long it waited.
    #[error("the request needs {needed} tokens; this model and cache hold {limit}")]
    TooLong {
        /// Prompt plus one new token.
        needed: usize,
        /// The most one sequence can hold.
        limit: usize,
    },
    /// A value out of range.
    #[error("{0}")]
    Invalid(String),
    /// The engine is shutting down.
    #[error("the engine is draining and takes no new requests")]
    Draining,
    /// The engine's thread has ended.
    #[error("the engine has stopped: {0}")]
    Stopped(String),
}
