//! Log-probabilities under the model itself, before temperature, bias and penalties.

use super::value;
use crate::api::TokenId;

/// Stands for "practically impossible", as in OpenAI's API: JSON has no infinity.
const LOWEST: f32 = -9999.0;

/// What is asked about the untouched logits.
pub(super) struct Report {
    /// The likeliest tokens with their natural-log probabilities, best first.
    pub top: Vec<(TokenId, f32)>,
    /// log(sum(exp(logit))) over the vocabulary.
    log_sum: f64,
}

impl Report {
    pub fn new(logits: &[f32], top: usize) -> Self {
        let mut report = Self { top: Vec::new(), log_sum: log_sum_exp(logits) };
        let mut best = largest(logits, top);
        for (_, logit) in &mut best {
            *logit = report.logprob(*logit);
        }
        report.top = best;
        report
    }

    /// The natural-log probability of a token with this logit.
    pub fn logprob(&self, logit: f32) -> f32 {
        let logprob = (f64::from(logit) - self.log_sum) as f32;
        if logprob.is_nan() { LOWEST } else { logprob.clamp(LOWEST, 0.0) }
    }
}

/// The sum is in f64: 200,000 terms would cost an f32 three digits.
fn log_sum_exp(logits: &[f32]) -> f64 {
    let values = (0..logits.len()).map(|index| value(logits, index));
    let max = values.clone().fold(f32::NEG_INFINITY, f32::max);
    f64::from(max) + values.map(|value| f64::from((value - max).exp())).sum::<f64>().ln()
}

/// The `count` largest, best first; of equal ones the first. One pass: few tokens get past the worst so far.
fn largest(logits: &[f32], count: usize) -> Vec<(TokenId, f32)> {
    let mut best: Vec<(TokenId, f32)> = Vec::with_capacity(count + 1);
    for index in 0..logits.len() {
        let value = value(logits, index);
        if best.len() == count && best.last().is_none_or(|worst| value <= worst.1) {
            continue;
        }
        let place = best.partition_point(|other| other.1 >= value);
        best.insert(place, (index as TokenId, value));
        best.truncate(count);
    }
    best
}
