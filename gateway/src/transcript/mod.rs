//! Text to tokens and back: harmony rendering and parsing, passages, stop strings: pure.
//!
//! Out: [`Conversation`] (with its last question framed by [`frame`]) through [`render`] to tokens.
//! In: tokens through [`Parser`] to [`Piece`]s, the content among them through [`StopStrings`].

pub mod conversation;
pub mod detokenise;
pub mod frame;
pub mod parse;
pub mod render;
pub mod stop;
mod tools;
pub mod vocabulary;

#[cfg(test)]
pub(crate) mod small;

pub use conversation::{Call, Conversation, Effort, Reply, Tool, Turn};
pub use detokenise::Detokeniser;
pub use frame::{INSTRUCTIONS, Passage, cited, frame, instructions};
pub use parse::{Parser, Piece};
pub use render::render;
pub use stop::{Released, StopStrings};
pub use vocabulary::{Special, Vocabulary, VocabularyError};
