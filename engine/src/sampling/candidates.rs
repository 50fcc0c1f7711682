//! Temperature, the three filters, and the draw.

use crate::api::{Sampling, TokenId};
use crate::sampling::value;

/// A token and, first, (logit - largest logit) / temperature; then the exponential of that, its unnormalised
/// probability: 1 for the likeliest.
type Candidate = (TokenId, f32);

/// The exponential of less is 0 in an f32.
const LEAST_EXPONENT: f32 = -104.0;

/// How many of the likeliest are ordered first, in the hope that they reach `top_p`.
const FIRST_GUESS: usize = 64;

/// The token at `uniform` (in [0, 1)) of the filtered distribution; `None` if it has no mass. `max`: the largest
/// logit.
pub(super) fn pick(logits: &[f32], max: f32, sampling: &Sampling, uniform: f64) -> Option<TokenId> {
    let mut candidates = likely(logits, max, sampling);
    if sampling.top_k > 0 {
        keep_largest(&mut candidates, sampling.top_k as usize);
    }
    // Not before: the exponential is what costs time, and the first two filters can do without it.
    candidates.iter_mut().for_each(|candidate| candidate.1 = candidate.1.exp());
    if sampling.top_p < 1.0 {
        keep_nucleus(&mut candidates, f64::from(sampling.top_p));
    }
    at(&candidates, uniform)
}

/// Candidates at least `min_p` times as likely as the likeliest, in order of their ids.
fn likely(logits: &[f32], max: f32, sampling: &Sampling) -> Vec<Candidate> {
    let least = sampling.min_p.ln().max(LEAST_EXPONENT);
    let exponent = |index| (value(logits, index) - max) / sampling.temperature;
    let all = (0..logits.len()).map(|index| (index as TokenId, exponent(index)));
    all.filter(|&(_, exponent)| exponent >= least).collect()
}

/// The `count` likeliest, in no order but always the same.
fn keep_largest(candidates: &mut Vec<Candidate>, count: usize) {
    if count < candidates.len() {
        candidates.select_nth_unstable_by(count, likelier_first);
        candidates.truncate(count);
    }
}

/// The fewest likeliest that together have `share` of the mass, best first; at least one.
fn keep_nucleus(candidates: &mut Vec<Candidate>, share: f64) {
    let wanted = mass(candidates) * share;
    let mut ordered = FIRST_GUESS.min(candidates.len());
    while ordered < candidates.len() {
        candidates.select_nth_unstable_by(ordered, likelier_first);
        if mass(&candidates[..ordered]) >= wanted {
            break;
        }
        ordered = (ordered * 8).min(candidates.len());
    }
    candidates.truncate(ordered);
    candidates.sort_unstable_by(likelier_first);
    let mut sum = 0.0;
    let before = candidates.iter().take_while(|candidate| {
        sum += f64::from(candidate.1);
        sum < wanted
    });
    let count = before.count() + 1;
    candidates.truncate(count);
}

/// Equal ones by id, so that the order is total.
fn likelier_first(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

fn mass(candidates: &[Candidate]) -> f64 {
    candidates.iter().map(|candidate| f64::from(candidate.1)).sum()
}

/// Walks until `uniform` of the mass is behind.
fn at(candidates: &[Candidate], uniform: f64) -> Option<TokenId> {
    let mut left = mass(candidates) * uniform;
    for &(token, weight) in candidates {
        left -= f64::from(weight);
        if left < 0.0 {
            return Some(token);
        }
    }
    // Rounding may leave a crumb at the very end.
    candidates.last().map(|candidate| candidate.0)
}
