//! Rotary positions: how far each pair of elements turns at each position.
//! Source: transformers `modeling_rope_utils.py` and openai/gpt-oss `torch/model.py`, which agree.

use crate::device::Angles;
use crate::weights::{Rope, Yarn};
use std::f64::consts::PI;

/// Turns per token of each pair, fastest first.
#[derive(Debug)]
pub(super) struct Rotation {
    /// Radians per token, `[head_dim / 2]`.
    frequencies: Vec<f32>,
    /// Factor on cosines and sines.
    attention_factor: f64,
}

impl Rotation {
    /// Every operation is rounded to `f32` where the sources round: a frequency's last bit is worth 1e-4 radians
    /// at position 1000.
    pub(super) fn new(rope: &Rope, head_dim: usize) -> Self {
        let wavelengths = (0..head_dim / 2).map(|i| {
            let exponent = (2 * i) as f32 / head_dim as f32;
            rope.theta.powf(f64::from(exponent)) as f32
        });
        let Some(yarn) = &rope.yarn else {
            return Self { frequencies: wavelengths.map(|w| 1.0 / w).collect(), attention_factor: 1.0 };
        };
        let (low, high) = ramp(yarn, rope.theta, head_dim as f64);
        let frequencies = wavelengths.enumerate().map(|(i, wavelength)| {
            let kept = 1.0 - ((i as f32 - low as f32) / (high - low) as f32).clamp(0.0, 1.0);
            (1.0 / (yarn.factor as f32 * wavelength)) * (1.0 - kept) + (1.0 / wavelength) * kept
        });
        Self { frequencies: frequencies.collect(), attention_factor: yarn.attention_factor }
    }

    /// The angles of one row per position.
    pub(super) fn angles(&self, positions: &[usize]) -> Angles {
        let count = positions.len() * self.frequencies.len();
        let (mut cos, mut sin) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for &position in positions {
            for frequency in &self.frequencies {
                // The product is rounded to f32, as in the sources; its cosine is then taken exactly.
                let angle = f64::from(position as f32 * frequency);
                cos.push((angle.cos() * self.attention_factor) as f32);
                sin.push((angle.sin() * self.attention_factor) as f32);
            }
        }
        Angles { cos, sin, head_dim: 2 * self.frequencies.len() }
    }
}

/// The pairs between which YaRN goes from keeping to interpolating.
fn ramp(yarn: &Yarn, theta: f64, dim: f64) -> (f64, f64) {
    let pair = |turns: f64| dim * (yarn.original_context / (turns * 2.0 * PI)).ln() / (2.0 * theta.ln());
    let (mut low, mut high) = (pair(yarn.beta_fast), pair(yarn.beta_slow));
    if yarn.truncate {
        (low, high) = (low.floor(), high.ceil());
    }
    let (low, high) = (low.max(0.0), high.min(dim - 1.0));
    // A ramp of no length would divide by zero.
    if low == high { (low, high + 0.001) } else { (low, high) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpt_oss_20b(truncate: bool) -> Rope {
        let yarn = Yarn {
            factor: 32.0,
            beta_fast: 32.0,
            beta_slow: 1.0,
            original_context: 4096.0,
            truncate,
            attention_factor: 0.1 * 32f64.ln() + 1.0,
        };
        Rope { theta: 150_000.0, yarn: Some(yarn) }
    }

    #[test]
    fn the_ramp_of_gpt_oss_20b_is_the_published_one() {
        let (low, high) = ramp(&gpt_oss_20b(false).yarn.unwrap(), 150_000.0, 64.0);
        assert!((low - 8.0928).abs() < 1e-4 && (high - 17.3980).abs() < 1e-4, "{low} {high}");
        let (low, high) = ramp(&gpt_oss_20b(true).yarn.unwrap(), 150_000.0, 64.0);
        assert_eq!((low, high), (8.0, 18.0));
    }

    #[test]
    fn fast_pairs_are_kept_and_slow_ones_interpolated() {
        let yarn = Rotation::new(&gpt_oss_20b(false), 64).frequencies;
        let plain = Rotation::new(&Rope { theta: 150_000.0, yarn: None }, 64).frequencies;
        assert_eq!(yarn[..9], plain[..9]);
        for i in 18..32 {
            assert!((yarn[i] * 32.0 / plain[i] - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn position_zero_does_not_turn() {
        let angles = Rotation::new(&gpt_oss_20b(false), 64).angles(&[0]);
        assert!(
            angles.cos.iter().all(|c| (c - 1.346_573_6).abs() < 1e-6) && angles.sin.iter().all(|s| *s == 0.0)
        );
    }
}
