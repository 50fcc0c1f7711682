//! `POST /v1/chat/completions`: the request, checked field by field, and the two shapes of its answer.

pub mod answer;
mod messages;
pub mod request;
mod wire;

pub use answer::{
    Answer, Choice, Chunk, ChunkChoice, Completion, Delta, FinishReason, FrontDesk, Logprobs, Message,
    Source, TokenLogprob, Usage,
};
pub use request::{Chat, Limits, Sampling};
