//! Generated tokens to reasoning, content and tool calls, as they come.

use std::sync::Arc;

use super::Vocabulary;

/// The next bit of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Thoughts.
    Reasoning(String),
    /// What the customer reads.
    Content(String),
    /// A function call begins.
    ToolCallStart {
        /// The call's place in the reply, from 0.
        index: usize,
        /// Its id.
        id: String,
        /// The function.
        name: String,
    },
    /// A call's arguments go on.
    ToolCallArguments {
        /// The call's place in the reply.
        index: usize,
        /// The next bit of the JSON text.
        fragment: String,
    },
}

/// Reads one reply. It takes any tokens in any order and never fails.
pub struct Parser {}

impl Parser {
    /// A parser for what follows `<|start|>assistant`. Calls get the ids `call_{reply}_{index}`.
    pub fn new(_vocabulary: Arc<Vocabulary>, _reply: &str) -> Self {
        todo!()
    }

    /// Takes the next token.
    pub fn push(&mut self, _token: u32) -> Vec<Piece> {
        todo!()
    }

    /// The reply is over: releases what was held back.
    pub fn finish(&mut self) -> Vec<Piece> {
        todo!()
    }

    /// Whether the last token was text of the content (for its log-probability).
    pub fn in_content(&self) -> bool {
        todo!()
    }

    /// Tokens of the reasoning so far.
    pub fn reasoning_tokens(&self) -> usize {
        todo!()
    }

    /// How many calls have begun. More than none: the finish reason is `tool_calls`.
    pub fn calls(&self) -> usize {
        todo!()
    }
}
