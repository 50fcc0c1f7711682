//! A chat completion, whole or in chunks.

use serde::Serialize;

use crate::transcript::{Piece, Reply};

/// What all chunks of one stream, or the one completion, share.
#[derive(Debug, Clone)]
pub struct Answer {
    /// `chatcmpl-...`, unique.
    pub id: String,
    /// Unix seconds.
    pub created: u64,
    /// The model that answered.
    pub model: String,
    /// Whether the stream ends in a chunk with the usage; every other chunk then says `usage: null`.
    pub include_usage: bool,
}

impl Answer {
    /// The whole answer in one body.
    pub fn completion(&self, choices: Vec<Choice>, usage: Usage, frontdesk: Option<FrontDesk>) -> Completion {
        Completion {
            id: self.id.clone(),
            object: "chat.completion",
            created: self.created,
            model: self.model.clone(),
            choices,
            usage,
            service_tier: "default",
            system_fingerprint: FINGERPRINT,
            frontdesk,
        }
    }

    /// The first chunk of a choice: who speaks.
    pub fn opening(&self, index: u32) -> Chunk {
        let delta = Delta { role: Some("assistant"), content: Some(String::new()), ..Delta::default() };
        self.chunk(index, delta)
    }

    /// A chunk with the next bit of a choice.
    pub fn chunk(&self, index: u32, delta: Delta) -> Chunk {
        self.with_choices(vec![ChunkChoice { index, delta, logprobs: None, finish_reason: None }])
    }

    /// The last chunk of a choice: why it ended, and what the answer stands on.
    pub fn closing(&self, index: u32, reason: FinishReason, frontdesk: Option<FrontDesk>) -> Chunk {
        let choice =
            ChunkChoice { index, delta: Delta::default(), logprobs: None, finish_reason: Some(reason) };
        Chunk { frontdesk, ..self.with_choices(vec![choice]) }
    }

    /// The very last chunk, under `include_usage`: no choices, the usage of them all.
    pub fn usage(&self, usage: Usage) -> Chunk {
        Chunk { usage: Some(Some(usage)), ..self.with_choices(Vec::new()) }
    }

    fn with_choices(&self, choices: Vec<ChunkChoice>) -> Chunk {
        Chunk {
            id: self.id.clone(),
            object: "chat.completion.chunk",
            created: self.created,
            model: self.model.clone(),
            choices,
            usage: self.include_usage.then_some(None),
            service_tier: "default",
            system_fingerprint: FINGERPRINT,
            frontdesk: None,
        }
    }
}

/// Clients compare it to notice that the server changed.
const FINGERPRINT: &str = concat!("frontdesk-", env!("CARGO_PKG_VERSION"));

/// The body of an answer that is not streamed.
#[derive(Debug, Clone, Serialize)]
pub struct Completion {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    /// The answers.
    pub choices: Vec<Choice>,
    /// Tokens of all choices together.
    pub usage: Usage,
    service_tier: &'static str,
    system_fingerprint: &'static str,
    /// What is ours alone; SDKs ignore it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontdesk: Option<FrontDesk>,
}

/// One answer.
#[derive(Debug, Clone, Serialize)]
pub struct Choice {
    /// Its place, from 0.
    pub index: u32,
    /// What it says.
    pub message: Message,
    /// Log-probabilities of its content, if asked for.
    pub logprobs: Option<Logprobs>,
    /// Why it ended.
    pub finish_reason: FinishReason,
}

/// What an answer says.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    role: &'static str,
    /// The text; `null` when there are only tool calls.
    pub content: Option<String>,
    refusal: Option<String>,
    /// The thoughts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
    /// Functions to call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    annotations: [(); 0],
}

impl From<Reply> for Message {
    fn from(reply: Reply) -> Self {
        let calls = reply.calls.into_iter().map(|call| ToolCall {
            id: call.id,
            kind: "function",
            function: Function { name: call.name, arguments: call.arguments },
        });
        let tool_calls: Vec<_> = calls.collect();
        let only_calls = reply.content.is_empty() && !tool_calls.is_empty();
        Self {
            role: "assistant",
            content: (!only_calls).then_some(reply.content),
            refusal: None,
            reasoning_content: (!reply.reasoning.is_empty()).then_some(reply.reasoning),
            tool_calls,
            annotations: [],
        }
    }
}

/// A function to call.
#[derive(Debug, Clone, Serialize)]
pub struct ToolCall {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function,
}

/// The name and the arguments of a call.
#[derive(Debug, Clone, Serialize)]
pub struct Function {
    name: String,
    arguments: String,
}

/// One event of a stream.
#[derive(Debug, Clone, Serialize)]
pub struct Chunk {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    /// The next bits; empty in the usage chunk.
    pub choices: Vec<ChunkChoice>,
    /// Outside `include_usage` absent; under it `null` but in the last chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Usage>>,
    service_tier: &'static str,
    system_fingerprint: &'static str,
    /// What is ours alone; SDKs ignore it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontdesk: Option<FrontDesk>,
}

/// The next bit of one choice.
#[derive(Debug, Clone, Serialize)]
pub struct ChunkChoice {
    /// The choice's place.
    pub index: u32,
    /// The bit.
    pub delta: Delta,
    /// Log-probabilities of the bit's tokens, if asked for.
    pub logprobs: Option<Logprobs>,
    /// Why the choice ended, in its last chunk.
    pub finish_reason: Option<FinishReason>,
}

/// What a chunk adds to a message.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Delta {
    /// Who speaks, in the first chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// More text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// More thoughts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
    /// More of a tool call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCallDelta>,
}

impl From<Piece> for Delta {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Reasoning(text) => Self { reasoning_content: Some(text), ..Self::default() },
            Piece::Content(text) => Self { content: Some(text), ..Self::default() },
            Piece::ToolCallStart { index, id, name } => {
                let function = FunctionDelta { name: Some(name), arguments: String::new() };
                let call = ToolCallDelta { index, id: Some(id), kind: Some("function"), function };
                Self { tool_calls: vec![call], ..Self::default() }
            }
            Piece::ToolCallArguments { index, fragment } => {
                let function = FunctionDelta { name: None, arguments: fragment };
                let call = ToolCallDelta { index, id: None, kind: None, function };
                Self { tool_calls: vec![call], ..Self::default() }
            }
        }
    }
}

/// A bit of a tool call: the first has id, type and name, the others arguments alone.
#[derive(Debug, Clone, Serialize)]
pub struct ToolCallDelta {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: FunctionDelta,
}

/// A bit of a call's function.
#[derive(Debug, Clone, Serialize)]
pub struct FunctionDelta {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    arguments: String,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It was complete, or reached a stop string.
    Stop,
    /// It reached its most tokens.
    Length,
    /// It waits for the results of tools.
    ToolCalls,
    /// Something in it may not be said.
    ContentFilter,
}

/// Tokens that a request took, all choices together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Of these, found in a cache.
    pub cached_tokens: usize,
    /// Tokens generated.
    pub completion_tokens: usize,
    /// Of these, thoughts.
    pub reasoning_tokens: usize,
}

impl Serialize for Usage {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wire = serde_json::json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": { "cached_tokens": self.cached_tokens, "audio_tokens": 0 },
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning_tokens,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        });
        wire.serialize(serializer)
    }
}

/// Log-probabilities of content tokens.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Logprobs {
    /// One entry a token of the content.
    pub content: Vec<TokenLogprob>,
    refusal: Option<()>,
}

impl Logprobs {
    /// The log-probabilities of these tokens.
    pub fn new(content: Vec<TokenLogprob>) -> Self {
        Self { content, refusal: None }
    }
}

/// A token and how likely it was.
#[derive(Debug, Clone, Serialize)]
pub struct TokenLogprob {
    token: String,
    logprob: f32,
    bytes: Vec<u8>,
    /// The likeliest tokens at this place; `None` inside such a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<Vec<TokenLogprob>>,
}

impl TokenLogprob {
    /// A token by its bytes, with the likeliest alternatives at its place (bytes and log-probability).
    pub fn new<'a>(bytes: &[u8], logprob: f32, top: impl IntoIterator<Item = (&'a [u8], f32)>) -> Self {
        let top = top.into_iter().map(|(bytes, logprob)| Self::bare(bytes, logprob)).collect();
        Self { top_logprobs: Some(top), ..Self::bare(bytes, logprob) }
    }

    fn bare(bytes: &[u8], logprob: f32) -> Self {
        let token = String::from_utf8_lossy(bytes).into_owned();
        // JSON has no infinities; the API's own word for "practically impossible" is -9999.
        let logprob = if logprob.is_finite() { logprob } else { -9999.0 };
        Self { token, logprob, bytes: bytes.to_vec(), top_logprobs: None }
    }
}

/// What is ours alone: what the answer stands on and how it was made.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FrontDesk {
    /// The passages that the answer stands on.
    pub sources: Vec<Source>,
    /// Whether the knowledge base covers the question.
    pub covered: bool,
    /// What the customer wants, unless that is unclear.
    pub intent: Option<String>,
    /// `hit-exact`, `hit-semantic`, `miss` or `bypass`.
    pub cache: String,
    /// Whether a person should take over.
    pub handoff: bool,
}

/// A passage that an answer stands on.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Source {
    /// The passage's id.
    pub id: String,
    /// Its question or heading.
    pub title: String,
    /// The file it came from.
    pub source: String,
    /// How well it matches the question: comparable within one search only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
}

#[cfg(test)]
mod tests;
