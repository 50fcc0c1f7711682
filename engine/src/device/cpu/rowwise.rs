//! The verbs that look at one row at a time.

use super::lanes::{Lanes, dispatch};
use crate::device::{Angles, Choice, LANES};

/// Sums squares lane by lane, so that the compiler can use vectors.
pub(super) fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let mut sums = [0.0f32; LANES];
    let chunks = x.chunks_exact(LANES);
    for (sum, v) in sums.iter_mut().zip(chunks.remainder()) {
        *sum += v * v;
    }
    for chunk in chunks {
        for (sum, v) in sums.iter_mut().zip(chunk) {
            *sum += v * v;
        }
    }
    let factor = 1.0 / (sums.iter().sum::<f32>() / x.len() as f32 + eps).sqrt();
    for ((o, v), w) in out.iter_mut().zip(x).zip(weight) {
        *o = v * factor * w;
    }
}

pub(super) fn rope(row: &mut [f32], index: usize, heads: usize, angles: &Angles) {
    let half = angles.head_dim / 2;
    let (cos, sin) = (&angles.cos[index * half..][..half], &angles.sin[index * half..][..half]);
    for head in row.chunks_exact_mut(angles.head_dim).take(heads) {
        let (first, second) = head.split_at_mut(half);
        for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
        }
    }
}

/// Appends the `top` largest logits' experts, ordered by logit (the lower index on a tie), with their softmax.
pub(super) fn route(logits: &[f32], top: usize, out: &mut Vec<Choice>) {
    let start = out.len();
    for (expert, &weight) in logits.iter().enumerate() {
        let chosen = &out[start..];
        if chosen.len() < top || chosen.last().is_some_and(|least| weight > least.weight) {
            let place = chosen.iter().position(|c| weight > c.weight).unwrap_or(chosen.len());
            out.insert(start + place, Choice { expert, weight });
            out.truncate(start + top);
        }
    }
    let chosen = &mut out[start..];
    let largest = chosen.first().map_or(0.0, |c| c.weight);
    let sum: f32 = chosen.iter().map(|c| (c.weight - largest).exp()).sum();
    chosen.iter_mut().for_each(|c| c.weight = (c.weight - largest).exp() / sum);
}

/// Gates in the first half of `x`, ups in the second.
pub(super) fn swiglu(simd: super::Simd, x: &[f32], alpha: f32, limit: f32, out: &mut [f32]) {
    let (gates, ups) = x.split_at(x.len() / 2);
    let whole = out.len() / LANES * LANES;
    // SAFETY: all three slices have `out.len()` elements or more, of which whole vectors are used; the instruction
    // set was detected.
    unsafe { swiglu_vectors(simd, &gates[..whole], &ups[..whole], alpha, limit, &mut out[..whole]) };
    if whole < out.len() {
        let rest = out.len() - whole;
        let mut ends = [[0.0; LANES]; 3];
        ends[0][..rest].copy_from_slice(&gates[whole..]);
        ends[1][..rest].copy_from_slice(&ups[whole..]);
        let [gates, ups, result] = &mut ends;
        // SAFETY: one whole vector each; as above.
        unsafe { swiglu_vectors(simd, gates, ups, alpha, limit, result) };
        out[whole..].copy_from_slice(&result[..rest]);
    }
}

dispatch! {
    /// `(clamp(up) + 1) g / (1 + e^(-alpha g))` with `g = min(gate, limit)`, whole vectors only.
    unsafe fn swiglu_vectors => swiglu_in(gates: &[f32], ups: &[f32], alpha: f32, limit: f32, out: &mut [f32])
}

/// # Safety
/// The slices have the same length, a multiple of 16.
#[inline(always)]
unsafe fn swiglu_in<V: Lanes>(gates: &[f32], ups: &[f32], alpha: f32, limit: f32, out: &mut [f32]) {
    for i in (0..out.len()).step_by(LANES) {
        // SAFETY: `i + 16` is within all three by the contract.
        unsafe {
            let (one, most) = (V::splat(1.0), V::splat(limit));
            let gate = V::load(gates.as_ptr().add(i)).min(most);
            let up = V::load(ups.as_ptr().add(i)).min(most).max(V::splat(-limit));
            let sigmoid = one.div(one.add(gate.mul(V::splat(-alpha)).exp()));
            up.add(one).mul(gate).mul(sigmoid).store(out.as_mut_ptr().add(i));
        }
    }
}
