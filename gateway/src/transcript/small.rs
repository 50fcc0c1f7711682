//! A seeded generator and a small vocabulary, so that tests need no files.

use std::sync::Arc;

use serde_json::json;

use super::{Vocabulary, vocabulary::letter};

/// SplitMix64: small, seeded, good enough to drive tests.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// The names of the small vocabulary's control tokens.
const CONTROLS: [&str; 9] = [
    "<|endoftext|>",
    "<|return|>",
    "<|constrain|>",
    "<|channel|>",
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|call|>",
    "<|reserved_9|>",
];

/// Pairs that merge, in order of rank: a word, and the first two bytes of a Chinese character.
const MERGES: [(&str, &str); 6] =
    [("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o"), ("Ġ", "to"), ("é", "Ģ")];

/// The small vocabulary: 256 bytes, a few merges, the control tokens.
pub(crate) fn vocabulary() -> Arc<Vocabulary> {
    Arc::new(Vocabulary::from_bytes(tokenizer_json().as_bytes()).unwrap())
}

/// The text of its `tokenizer.json`.
pub(crate) fn tokenizer_json() -> String {
    let mut names: Vec<String> = (0..=u8::MAX).map(|byte| letter(byte).to_string()).collect();
    names.push("to".to_owned());
    names.extend(MERGES.map(|(left, right)| format!("{left}{right}")));
    let merges: Vec<_> = [("t", "o")].iter().chain(&MERGES).map(|(l, r)| format!("{l} {r}")).collect();
    let first_control = names.len();
    let vocab: serde_json::Map<_, _> = names.into_iter().zip((0..).map(|id: u32| json!(id))).collect();
    let controls = CONTROLS.iter().zip(first_control..).map(|(name, id)| {
        json!({
            "id": id, "content": name, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        })
    });
    let byte_level =
        json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": controls.collect::<Vec<_>>(),
        "pre_tokenizer": byte_level, "post_processor": null, "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": merges,
        },
    })
    .to_string()
}
