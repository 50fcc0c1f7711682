//! Keeps log-probabilities beside the text they belong to, and drops them where the text was changed: the tokens
//! of a masked number would spell it out.

use std::collections::VecDeque;

use crate::openai::chat::TokenLogprob;

/// Entries whose text is still held back.
#[derive(Default)]
pub struct Beside {
    /// Raw text that came in and has not come out.
    waiting: String,
    /// Entries, each with the bytes of `waiting` up to its end.
    entries: VecDeque<(usize, TokenLogprob)>,
    /// What came out was not what came in: from here on nothing can be told apart.
    changed: bool,
}

impl Beside {
    /// Raw text came in, with the entry of its last token.
    pub fn push(&mut self, text: &str, entry: Option<TokenLogprob>) {
        self.waiting.push_str(text);
        if let Some(entry) = entry {
            self.entries.push_back((self.waiting.len(), entry));
        }
    }

    /// Text went out: the entries of its tokens.
    pub fn release(&mut self, text: &str) -> Vec<TokenLogprob> {
        self.changed |= !self.waiting.starts_with(text);
        if self.changed {
            self.entries.clear();
            self.waiting.clear();
            return Vec::new();
        }
        self.waiting.drain(..text.len());
        self.entries.iter_mut().for_each(|(end, _)| *end = end.saturating_sub(text.len()));
        let out = self.entries.iter().take_while(|(end, _)| *end == 0).count();
        self.entries.drain(..out).map(|(_, entry)| entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(token: &str) -> Option<TokenLogprob> {
        Some(TokenLogprob::new(token.as_bytes(), -0.5, []))
    }

    #[test]
    fn entries_come_with_their_text() {
        let mut beside = Beside::default();
        beside.push("ab", entry("ab"));
        beside.push("cd", entry("cd"));
        assert_eq!(beside.release("abc").len(), 1);
        assert_eq!(beside.release("d").len(), 1);
    }

    #[test]
    fn nothing_of_a_masked_number_comes_out_nor_anything_after_it() {
        let mut beside = Beside::default();
        beside.push("138", entry("138"));
        beside.push("12345678", entry("12345678"));
        assert!(beside.release("138****5678").is_empty());
        beside.push("ok", entry("ok"));
        assert!(beside.release("ok").is_empty());
    }
}
