//! The model's vocabulary: text to token ids, token ids to bytes, and the harmony control tokens.

use std::path::Path;

/// The harmony control tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Special {
    /// `<|start|>`: a message's header begins.
    pub start: u32,
    /// `<|end|>`: a message ends.
    pub end: u32,
    /// `<|message|>`: the header ends, the text begins.
    pub message: u32,
    /// `<|channel|>`: the channel's name follows.
    pub channel: u32,
    /// `<|constrain|>`: the text's type follows.
    pub constrain: u32,
    /// `<|return|>`: the reply ends.
    pub return_: u32,
    /// `<|call|>`: a tool call ends, its result is awaited.
    pub call: u32,
    /// `<|endoftext|>`: everything ends.
    pub endoftext: u32,
}

/// Why a vocabulary could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum VocabularyError {}

/// The vocabulary of one model.
pub struct Vocabulary {}

impl Vocabulary {
    /// Reads `tokenizer.json` in the checkpoint folder `dir`.
    pub fn load(_dir: &Path) -> Result<Self, VocabularyError> {
        todo!()
    }

    /// Reads the text of a `tokenizer.json`.
    pub fn from_bytes(_tokenizer_json: &[u8]) -> Result<Self, VocabularyError> {
        todo!()
    }

    /// One more than the highest token id.
    pub fn size(&self) -> usize {
        todo!()
    }

    /// The control tokens.
    pub fn special(&self) -> Special {
        todo!()
    }

    /// Whether the token is a control token: one that stands for no text.
    pub fn is_control(&self, _token: u32) -> bool {
        todo!()
    }

    /// Tokens that end a reply, always: `<|return|>`, `<|endoftext|>`, `<|call|>`. Never `<|end|>`.
    pub fn stop_ids(&self) -> [u32; 3] {
        todo!()
    }

    /// The tokens of a text. A control token spelled out in it becomes ordinary tokens.
    pub fn encode_text(&self, _text: &str) -> Vec<u32> {
        todo!()
    }

    /// The bytes of a token; none for control tokens and ids outside the vocabulary.
    pub fn bytes(&self, _token: u32) -> &[u8] {
        todo!()
    }
}
