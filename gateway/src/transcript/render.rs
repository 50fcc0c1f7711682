//! A conversation to the tokens of a harmony prompt.

use super::{Conversation, Vocabulary};

/// The prompt of a conversation, up to and with `<|start|>assistant`, where the model goes on.
pub fn render(_conversation: &Conversation, _vocabulary: &Vocabulary) -> Vec<u32> {
    todo!()
}
