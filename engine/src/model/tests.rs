//! The whole model on the reference device and on every instruction set of this machine.

use super::{Model, Step};
use crate::device::{Cpu, Device, KvPrecision, Reference, Rows, Simd, link};
use crate::weights::{Checkpoint, Config, Split, load};
use std::path::Path;

/// Logits of all positions of the tokens, in two steps.
fn logits<D: Device>(device: D, name: &str, tokens: &[u32]) -> Vec<f32> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens").join(name);
    let config = Config::read(&folder).unwrap();
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let weights = load(&checkpoint, &config, Split::new(1).unwrap(), 1, &|_, _| {}).unwrap().remove(0);
    let cache = (8, 16, KvPrecision::F32);
    let mut model = Model::new(device, config, weights, link(1).remove(0), cache).unwrap();
    let (mut rows, mut all) = (Rows::new(model.vocab_size()), Vec::new());
    for range in [0..tokens.len() / 3, tokens.len() / 3..tokens.len()] {
        let step = Step {
            tokens: tokens[range.clone()].to_vec(),
            positions: range.clone().collect(),
            sequences: vec![(0..range.len(), (0..8).rev().collect())],
            wanted: (0..range.len()).collect(),
        };
        model.forward(&step, &mut rows).unwrap();
        (0..range.len()).for_each(|row| all.extend_from_slice(rows.row(row)));
    }
    all
}

#[test]
fn all_devices_agree() {
    for name in ["dense", "mxfp4", "odd"] {
        let tokens: Vec<u32> = (0..50).map(|i| i * i % 77).collect();
        let expected = logits(Reference, name, &tokens);
        for simd in Simd::available() {
            let found = logits(Cpu::with_simd(2, simd), name, &tokens);
            let largest = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(largest < 2e-4, "{name}, {simd:?}: {largest}");
        }
    }
}
