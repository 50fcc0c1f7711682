//! The chat request as it comes: every field of the schema of August 2026, nothing checked but types.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::openai::body::{Entries, TextOr};

/// The body. A field that is not here is refused: silence would let a client believe in it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct Body {
    pub model: String,
    pub messages: Vec<Message>,
    pub audio: Option<IgnoredAny>,
    pub frequency_penalty: Option<f32>,
    pub function_call: Option<IgnoredAny>,
    pub functions: Option<IgnoredAny>,
    pub logit_bias: Option<Entries<f32>>,
    pub logprobs: Option<bool>,
    pub max_completion_tokens: Option<u32>,
    pub max_tokens: Option<u32>,
    pub metadata: Option<Entries<String>>,
    pub modalities: Option<Vec<String>>,
    pub n: Option<u32>,
    pub prediction: Option<IgnoredAny>,
    pub presence_penalty: Option<f32>,
    pub reasoning_effort: Option<String>,
    pub response_format: Option<ResponseFormat>,
    pub safety_identifier: Option<String>,
    pub seed: Option<i64>,
    pub service_tier: Option<String>,
    pub stop: Option<TextOr<Vec<String>>>,
    pub store: Option<bool>,
    pub stream: Option<bool>,
    pub stream_options: Option<StreamOptions>,
    pub temperature: Option<f32>,
    pub tool_choice: Option<TextOr<Entries<Value>>>,
    pub tools: Option<Vec<Tool>>,
    pub top_logprobs: Option<u32>,
    pub top_p: Option<f32>,
    pub user: Option<String>,
    pub verbosity: Option<String>,
    pub web_search_options: Option<IgnoredAny>,
    // Checked for their types and no more: the engine shares prefixes by itself, and the model makes one
    // call at a time whatever a client allows.
    #[serde(rename = "parallel_tool_calls")]
    pub _parallel_tool_calls: Option<bool>,
    #[serde(rename = "prompt_cache_key")]
    pub _prompt_cache_key: Option<String>,
    #[serde(rename = "prompt_cache_retention")]
    pub _prompt_cache_retention: Option<String>,
}

/// A message of any role; what a role may hold is checked later. Clients send back what they received,
/// so the fields of an answer's message are known here too.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct Message {
    pub role: String,
    pub content: Option<TextOr<Vec<Part>>>,
    pub refusal: Option<String>,
    pub reasoning_content: Option<String>,
    pub reasoning: Option<String>,
    pub tool_calls: Option<Vec<ToolCall>>,
    pub tool_call_id: Option<String>,
    pub audio: Option<IgnoredAny>,
    pub function_call: Option<IgnoredAny>,
    #[serde(rename = "annotations")]
    pub _annotations: Option<IgnoredAny>,
    /// Who among several users speaks: harmony has no place for it.
    #[serde(rename = "name")]
    pub _name: Option<String>,
}

/// A part of a message.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct Part {
    #[serde(rename = "type")]
    pub kind: String,
    pub text: Option<String>,
    pub refusal: Option<String>,
}

/// A call in an assistant's message. `index` comes from clients that put together a stream's deltas.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct ToolCall {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub function: Function,
    #[serde(rename = "index")]
    pub _index: Option<IgnoredAny>,
}

/// The function of a call.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct Function {
    pub name: String,
    pub arguments: String,
}

/// A tool on offer.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct Tool {
    #[serde(rename = "type")]
    pub kind: String,
    pub function: Option<FunctionOffer>,
}

/// A function on offer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct FunctionOffer {
    pub name: String,
    pub description: Option<String>,
    pub parameters: Option<Value>,
    pub strict: Option<bool>,
}

/// The form of the answer.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct ResponseFormat {
    #[serde(rename = "type")]
    pub kind: String,
}

/// What a stream holds beside the answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct StreamOptions {
    pub include_usage: Option<bool>,
    pub include_obfuscation: Option<bool>,
}
