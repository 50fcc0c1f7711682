//! Logits become a token: pure, and keyed by (seed, position) alone.
//!
//! In this order: log-probabilities are those of the untouched logits; then bias and penalties; then the
//! likeliest token, or temperature, `min_p`, `top_k`, `top_p` (each over what the one before left) and a draw.
//! The vocabulary is never sorted: 200,000 tokens are scanned, and only candidates are ordered.

mod candidates;
mod random;
mod report;

use crate::api::{Sampled, TokenId};
use crate::scheduler::batch::Draw;
use report::Report;

/// Draws the token at `position` from the logits of the whole vocabulary (token t at index t).
///
/// The logits are changed during the call and restored before it returns. NaN counts as impossible. With no
/// possible token at all, the answer is token 0.
pub fn draw(logits: &mut [f32], draw: &Draw, position: usize) -> Sampled {
    let report = draw.logprobs.map(|top| Report::new(logits, usize::from(top)));
    let changed = adjust(logits, draw);
    let token = choose(logits, draw, position);
    for (index, before) in changed.into_iter().rev() {
        logits[index] = before;
    }
    let logprob = report.as_ref().map_or(0.0, |report| report.logprob(value(logits, token as usize)));
    Sampled { token, logprob, top: report.map(|report| report.top).unwrap_or_default() }
}

/// Applies bias and penalties; what was there before, in the order of the changes.
fn adjust(logits: &mut [f32], draw: &Draw) -> Vec<(usize, f32)> {
    let sampling = &draw.sampling;
    let biases = sampling.logit_bias.iter().map(|&(token, bias)| (token, bias));
    let penalties = draw.counts.iter().map(|&(token, count)| {
        (token, -(sampling.frequency_penalty * count as f32 + sampling.presence_penalty))
    });
    let mut changed = Vec::with_capacity(sampling.logit_bias.len() + draw.counts.len());
    for (token, change) in biases.chain(penalties) {
        if let Some(logit) = logits.get_mut(token as usize) {
            changed.push((token as usize, *logit));
            *logit += change;
        }
    }
    changed
}

fn choose(logits: &[f32], draw: &Draw, position: usize) -> TokenId {
    let likeliest = likeliest(logits);
    if draw.sampling.temperature <= 0.0 || value(logits, likeliest as usize) == f32::NEG_INFINITY {
        return likeliest;
    }
    let uniform = random::uniform(draw.sampling.seed, position as u64);
    candidates::pick(logits, value(logits, likeliest as usize), &draw.sampling, uniform).unwrap_or(likeliest)
}

/// The first of the largest.
fn likeliest(logits: &[f32]) -> TokenId {
    let mut best = (0, f32::NEG_INFINITY);
    for index in 0..logits.len() {
        let value = value(logits, index);
        if value > best.1 {
            best = (index, value);
        }
    }
    best.0 as TokenId
}

/// A logit one can calculate with: NaN is impossible, and infinite is just very large.
fn value(logits: &[f32], index: usize) -> f32 {
    match logits.get(index) {
        Some(logit) if !logit.is_nan() => logit.min(f32::MAX),
        _ => f32::NEG_INFINITY,
    }
}

#[cfg(test)]
mod tests;
