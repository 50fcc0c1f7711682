//! Logits of small random models against those of Hugging Face transformers (see goldens/make.py).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and tell what it measured")]

use frontdesk_engine::device::KvPrecision;
use frontdesk_engine::executor::{Executor, Options};
use std::path::{Path, PathBuf};

/// What the golden files promise.
const TOLERANCE: f32 = 1e-3;

struct Golden {
    folder: PathBuf,
    tokens: Vec<u32>,
    positions: Vec<usize>,
    /// `[positions, vocabulary]`.
    logits: Vec<f32>,
}

impl Golden {
    fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens").join(name);
        let json = std::fs::read(folder.join("golden.json")).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let numbers = |key: &str| json[key].as_array().unwrap().iter().map(|n| n.as_u64().unwrap());
        let bytes = std::fs::read(folder.join("logits.f32")).unwrap();
        Self {
            tokens: numbers("tokens").map(|n| n as u32).collect(),
            positions: numbers("positions").map(|n| n as usize).collect(),
            logits: bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
            folder,
        }
    }

    /// The largest difference of any logit.
    fn difference(&self, options: &Options) -> f32 {
        let (mut executor, config) = Executor::load(&self.folder, options, &|_, _| {}).unwrap();
        let (mut largest, mut seen) = (0f32, 0);
        executor
            .logits(&self.tokens, |position, logits| {
                if self.positions.get(seen) == Some(&position) {
                    let golden = &self.logits[seen * config.vocab_size..][..config.vocab_size];
                    let differences = logits.iter().zip(golden).map(|(a, b)| (a - b).abs());
                    largest = differences.fold(largest, |a, b| if b.is_nan() { b } else { a.max(b) });
                    seen += 1;
                }
            })
            .unwrap();
        assert_eq!(seen, self.positions.len(), "every golden position was computed");
        largest
    }
}

fn options(ranks: usize) -> Options {
    Options { tensor_parallel_size: ranks, block_count: Some(80), threads: Some(2), ..Options::default() }
}

fn check(name: &str) {
    let golden = Golden::read(name);
    for ranks in [1, 2, 4] {
        let difference = golden.difference(&options(ranks));
        println!("{name}, ranks {ranks}: largest difference of a logit {difference:.1e}");
        assert!(difference < TOLERANCE, "{name} on {ranks} ranks: {difference}");
    }
}

#[test]
fn dense_bf16_experts_beyond_the_window() {
    check("dense");
}

#[test]
fn mxfp4_experts_beyond_a_thousand_tokens() {
    check("mxfp4");
}

#[test]
fn odd_sizes_and_plain_rope() {
    check("odd");
}

#[test]
fn truncated_yarn_in_fp16() {
    check("truncated");
}

#[test]
fn other_block_sizes_change_nothing() {
    let golden = Golden::read("dense");
    for block_size in [1, 7, 64] {
        let options = Options { block_size, block_count: Some(100), ..options(1) };
        assert!(golden.difference(&options) < TOLERANCE, "blocks of {block_size}");
    }
}

#[test]
fn a_bf16_cache_is_close_but_not_exact() {
    let golden = Golden::read("dense");
    let difference = golden.difference(&Options { kv_precision: KvPrecision::Bf16, ..options(1) });
    assert!((TOLERANCE..0.5).contains(&difference), "{difference}");
}
