//! Finds personal data in text and masks it, whole or as a stream: pure.
//!
//! `glyph` folds characters, `stream` cuts the text into stretches and holds back the one that is not yet
//! decided, `atoms`, `detect` and `chain` find identifiers in a stretch, `checks` proves them, `context` knows
//! what was said just before, `label` reads names and addresses, `redact` writes the masked form.

mod atoms;
mod chain;
mod checks;
mod context;
mod detect;
mod glyph;
mod kind;
mod label;
mod public;
mod redact;
mod stream;
mod swallow;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

pub use kind::{Kind, Policy, Span, UnknownKind};
pub use public::Public;
pub use stream::{HELD_MAX, StreamMasker};

/// Text in which personal data is masked. Only a [`Masker`] makes one, so whoever asks for `Masked` (the log,
/// the store, the cache) cannot be handed raw text by mistake.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Masked(String);

impl Masked {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, owned.
    pub fn into_string(self) -> String {
        self.0
    }

    /// Adds the next piece of the same stream.
    pub fn append(&mut self, next: &Self) {
        self.0.push_str(&next.0);
    }
}

impl fmt::Display for Masked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Finds and masks personal data under one policy.
#[derive(Debug, Clone, Copy, Default)]
pub struct Masker {
    policy: Policy,
}

impl Masker {
    /// A masker of the kinds that `policy` names.
    pub fn new(policy: Policy) -> Self {
        Self { policy }
    }

    /// Whether the policy masks `kind`.
    pub fn masks(&self, kind: Kind) -> bool {
        self.policy.masks(kind)
    }

    /// Everything recognised in `text`, masked by the policy or not, in order, none overlapping another.
    pub fn scan(&self, text: &str) -> Vec<Span> {
        self.mask_with_spans(text).1
    }

    /// `text` with the policy's kinds masked. Masking a masked text changes nothing.
    pub fn mask(&self, text: &str) -> Masked {
        let mut stream = self.stream();
        let mut masked = stream.push(text);
        masked.append(&stream.finish());
        masked
    }

    /// [`mask`](Self::mask) and [`scan`](Self::scan) in one pass.
    pub fn mask_with_spans(&self, text: &str) -> (Masked, Vec<Span>) {
        let mut stream = StreamMasker::new(self.policy, true);
        let mut masked = stream.push(text);
        let (rest, spans) = stream.end();
        masked.append(&rest);
        (masked, spans)
    }

    /// Masks a text that arrives in pieces: for every way to cut it, the pieces returned join to
    /// [`mask`](Self::mask) of the whole.
    pub fn stream(&self) -> StreamMasker {
        StreamMasker::new(self.policy, false)
    }

    /// [`stream`](Self::stream), but leaves readable what is `public`.
    pub fn stream_showing(&self, public: Arc<Public>) -> StreamMasker {
        self.stream().showing(public)
    }
}
