//! Text of one field of a reply on its way out, masked as it streams.

use std::sync::Arc;

use crate::mask::{Masker, Public, StreamMasker};

/// Masks one field; remembers what came in, to tell how much was masked.
pub struct Voice {
    masker: Option<StreamMasker>,
    raw: String,
}

impl Voice {
    /// An empty field; what is `public` may be said in it.
    pub fn new(masker: &Masker, public: &Arc<Public>) -> Self {
        Self { masker: Some(masker.stream_showing(Arc::clone(public))), raw: String::new() }
    }

    /// Takes raw text; returns what may be said by now.
    pub fn push(&mut self, text: &str) -> String {
        self.raw.push_str(text);
        self.masker.as_mut().map(|masker| masker.push(text)).unwrap_or_default().into_string()
    }

    /// The field is over: the rest of it. What comes later is said of another field.
    pub fn finish(&mut self) -> String {
        self.masker.take().map(StreamMasker::finish).unwrap_or_default().into_string()
    }

    /// Everything that came in.
    pub fn raw(&self) -> &str {
        &self.raw
    }
}
