//! Text of one field of a reply on its way out, masked as it streams.

use std::sync::Arc;

use crate::mask::{Masker, Public, StreamMasker};

/// Masks one field; remembers what came in, to tell how much was masked.
pub struct Voice {
    masker: StreamMasker,
    /// To begin anew with: a model may come back to a field that it had ended.
    unused: StreamMasker,
    raw: String,
}

impl Voice {
    /// An empty field; what is `public` may be said in it.
    pub fn new(masker: &Masker, public: &Arc<Public>) -> Self {
        let unused = masker.stream_showing(Arc::clone(public));
        Self { masker: unused.clone(), unused, raw: String::new() }
    }

    /// Takes raw text; returns what may be said by now.
    pub fn push(&mut self, text: &str) -> String {
        self.raw.push_str(text);
        self.masker.push(text).into_string()
    }

    /// Another field follows: the rest of this one.
    pub fn finish(&mut self) -> String {
        std::mem::replace(&mut self.masker, self.unused.clone()).finish().into_string()
    }

    /// Everything that came in.
    pub fn raw(&self) -> &str {
        &self.raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_taken_up_again_is_still_masked() {
        let mut voice = Voice::new(&Masker::default(), &Arc::default());
        assert_eq!(voice.push("电话138"), "电话");
        assert_eq!(voice.finish(), "138");
        assert_eq!(voice.push("13812345678"), "");
        assert_eq!(voice.finish(), "138****5678");
        assert_eq!(voice.raw(), "电话13813812345678");
    }
}
