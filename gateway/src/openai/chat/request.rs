//! A chat request, resolved: every value checked, every default filled in.

use crate::openai::ApiError;
use crate::transcript::{Effort, Tool, Turn};

/// The most that a request may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Messages.
    pub messages: usize,
    /// Bytes of text in all messages together.
    pub text_bytes: usize,
    /// Functions.
    pub tools: usize,
    /// Answers to one request.
    pub n: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { messages: 512, text_bytes: 512 * 1024, tools: 64, n: 8 }
    }
}

/// What a client wants, ready to be carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Chat {
    /// The model it asked for.
    pub model: String,
    /// Its system and developer messages, a blank line between them.
    pub instructions: Option<String>,
    /// The other messages, oldest first; the last is a user's or a tool's.
    pub turns: Vec<Turn>,
    /// Functions that the model may call; empty under `tool_choice: none`.
    pub tools: Vec<Tool>,
    /// How long the model may think.
    pub effort: Effort,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// The most tokens of one answer, thoughts included.
    pub max_tokens: Option<u32>,
    /// Strings that end an answer: at most four, none empty.
    pub stops: Vec<String>,
    /// How many answers.
    pub n: u32,
    /// Log-probabilities: how many alternatives (0 to 20) beside each token.
    pub logprobs: Option<u8>,
    /// Whether to answer as a stream of chunks.
    pub stream: bool,
    /// Whether the stream ends in a chunk with the usage.
    pub include_usage: bool,
    /// The client's own name for its end user.
    pub user: Option<String>,
}

/// How tokens are drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// 0 to 2; 0 is greedy.
    pub temperature: f32,
    /// 0 to 1.
    pub top_p: f32,
    /// -2 to 2.
    pub frequency_penalty: f32,
    /// -2 to 2.
    pub presence_penalty: f32,
    /// Key of the draws; `None`: any.
    pub seed: Option<u64>,
    /// Token and what is added to its logit (-100 to 100).
    pub logit_bias: Vec<(u32, f32)>,
}

impl Chat {
    /// Reads and checks a request's body.
    pub fn parse(_body: &[u8], _limits: &Limits) -> Result<Self, ApiError> {
        todo!()
    }

    /// The customer's last words, if the last turn is theirs.
    pub fn question(&self) -> Option<&str> {
        match self.turns.last() {
            Some(Turn::User(text)) => Some(text),
            _ => None,
        }
    }
}
