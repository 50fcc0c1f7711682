//! Attention over the paged cache, a tile of query rows against 128 keys at a time.
//!
//! The softmax runs along: a row keeps its largest logit so far, the sum of the powers and the weighted values,
//! and scales the last two when a larger logit turns up. The sink is where it starts: a key that is always there
//! and has no value. Steps end at multiples of 128 positions whatever the chunking, so a query's bits do not
//! depend on which other tokens were computed with it.

use super::lanes::{Element, Lanes, dispatch};
use super::matmul::{View, multiply};
use crate::device::kv::Store;
use crate::device::{Heads, Kv, LANES, Span};

/// Query rows of a tile.
pub(super) const TILE: usize = 8;

/// Positions of one step of the running softmax.
const STEP: usize = 128;

/// The queries of one span that share a key/value head.
#[derive(Clone)]
pub(super) struct Task<'a> {
    pub(super) span: &'a Span<'a>,
    pub(super) heads: &'a Heads<'a>,
    /// First of the query heads, and how many.
    pub(super) head: usize,
    pub(super) group: usize,
    /// Which (token, head) pairs of the task: row i is token i / group, head i % group.
    pub(super) rows: std::ops::Range<usize>,
    /// Row 0 of the input and of the output.
    pub(super) x: *const f32,
    pub(super) x_stride: usize,
    pub(super) out: *mut f32,
    pub(super) out_stride: usize,
}

impl Task<'_> {
    fn token(&self, row: usize) -> usize {
        (self.rows.start + row) / self.group
    }

    fn query_head(&self, row: usize) -> usize {
        self.head + (self.rows.start + row) % self.group
    }

    fn position(&self, row: usize) -> usize {
        self.span.position + self.token(row)
    }
}

dispatch! {
    /// Attends with the (at most [`TILE`]) rows of a task.
    pub(super) unsafe fn attend_tile => attend_tile_in(task: &Task<'_>, kv: &Kv)
}

/// # Safety
/// `x` and `out` are valid for the span's rows; the span's blocks exist in `kv` and hold its tokens; nobody else
/// touches the task's heads of `out` meanwhile.
#[inline(always)]
unsafe fn attend_tile_in<V: Lanes>(task: &Task<'_>, kv: &Kv) {
    // SAFETY: passed on.
    unsafe {
        match (&kv.keys, &kv.values) {
            (Store::F32(keys), Store::F32(values)) => attend_in::<V, f32>(task, kv, keys, values),
            (Store::Bf16(keys), Store::Bf16(values)) => attend_in::<V, u16>(task, kv, keys, values),
            _ => {}
        }
    }
}

/// What a tile's rows have gathered so far.
struct State {
    /// Scaled queries, `[TILE][padded_dim]`.
    queries: Vec<f32>,
    /// Weighted sums of values, `[TILE][padded_dim]`.
    sums: Vec<f32>,
    /// Of the step alone: short sums that are then added up lose less than one long sum.
    step_sums: Vec<f32>,
    /// Logits, then powers, of the step, `[TILE][step_slots]`.
    scores: Vec<f32>,
    /// Largest logit so far.
    top: [f32; TILE],
    /// Sum of powers by lane; the sink's is in lane 0.
    total: [[f32; LANES]; TILE],
}

/// # Safety
/// As for [`attend_tile_in`].
#[inline(always)]
unsafe fn attend_in<V: Lanes, E: Element>(task: &Task<'_>, kv: &Kv, keys: &[E], values: &[E]) {
    let (rows, size) = (task.rows.len(), kv.shape.block_size);
    let step_blocks = (STEP / size).max(1);
    let first = task.heads.first_seen(task.position(0)) / size;
    let last = task.position(rows - 1) / size;
    let mut state = begin(task, kv, step_blocks);
    let mut block = first;
    while block <= last {
        let end = (block / step_blocks + 1) * step_blocks;
        // SAFETY: passed on; blocks up to `last` hold tokens of the span's sequence.
        unsafe { step::<V, E>(task, kv, keys, values, block..end.min(last + 1), &mut state) };
        block = end;
    }
    // SAFETY: passed on.
    unsafe { finish(task, kv, &state) }
}

#[inline(always)]
fn begin(task: &Task<'_>, kv: &Kv, step_blocks: usize) -> State {
    let (dim, padded) = (kv.shape.head_dim, kv.shape.padded_dim());
    let mut state = State {
        queries: vec![0.0; TILE * padded],
        sums: vec![0.0; TILE * padded],
        step_sums: vec![0.0; TILE * padded],
        scores: vec![0.0; TILE * step_blocks * kv.shape.slots()],
        top: [0.0; TILE],
        total: [[0.0; LANES]; TILE],
    };
    for row in 0..task.rows.len() {
        let head = task.query_head(row);
        let at = (task.span.rows.start + task.token(row)) * task.x_stride + head * dim;
        for d in 0..dim {
            // SAFETY: the row and the head are within the input by the contract of the task.
            state.queries[row * padded + d] = unsafe { *task.x.add(at + d) } * task.heads.scale;
        }
        state.top[row] = task.heads.sinks[head];
        state.total[row][0] = 1.0;
    }
    state
}

/// One step of the running softmax over consecutive blocks.
///
/// # Safety
/// As for [`attend_tile_in`].
#[inline(always)]
unsafe fn step<V: Lanes, E: Element>(
    task: &Task<'_>,
    kv: &Kv,
    keys: &[E],
    values: &[E],
    blocks: std::ops::Range<usize>,
    state: &mut State,
) {
    let (slots, padded, size, rows) =
        (kv.shape.slots(), kv.shape.padded_dim(), kv.shape.block_size, task.rows.len());
    let kv_head = task.heads.kv_of[task.head];
    let stride = state.scores.len() / TILE;
    state.scores.fill(0.0);
    state.step_sums.fill(0.0);
    // SAFETY: a block's keys are `padded_dim` rows of `slots`, its values `slots` rows of `padded_dim`; the scores
    // hold every block of the step.
    unsafe {
        for (i, block) in blocks.clone().enumerate() {
            let weights = keys.as_ptr().add(kv.shape.start(task.span.blocks[block], kv_head));
            let view = View { weights, k_stride: slots, panel_stride: LANES, panels: slots / LANES };
            let out = state.scores.as_mut_ptr().add(i * slots);
            multiply::<V, E>(state.queries.as_ptr(), padded, rows, &view, kv.shape.head_dim, out, stride);
        }
        for row in 0..rows {
            mask(task, row, blocks.clone(), size, slots, &mut state.scores[row * stride..][..stride]);
            soften::<V>(row, blocks.len() * slots, stride, padded, state);
        }
        let seen = task.position(rows - 1) + 1;
        for (i, block) in blocks.enumerate() {
            let weights = values.as_ptr().add(kv.shape.start(task.span.blocks[block], kv_head));
            let view = View { weights, k_stride: padded, panel_stride: LANES, panels: padded / LANES };
            let powers = state.scores.as_ptr().add(i * slots);
            // Slots beyond the last token may hold anything, even NaN, which times zero is NaN.
            let filled = size.min(seen - block * size);
            multiply::<V, E>(powers, stride, rows, &view, filled, state.step_sums.as_mut_ptr(), padded);
        }
    }
    state.sums.iter_mut().zip(&state.step_sums).for_each(|(sum, &step)| *sum += step);
}

/// Minus infinity wherever the row's query does not look.
#[inline(always)]
fn mask(
    task: &Task<'_>,
    row: usize,
    blocks: std::ops::Range<usize>,
    size: usize,
    slots: usize,
    scores: &mut [f32],
) {
    let position = task.position(row);
    let seen = task.heads.first_seen(position)..position + 1;
    for (i, block) in blocks.enumerate() {
        let scores = &mut scores[i * slots..(i + 1) * slots];
        let start = block * size;
        let low = seen.start.saturating_sub(start).min(size);
        let high = seen.end.saturating_sub(start).min(size);
        scores[..low].fill(f32::NEG_INFINITY);
        scores[high..].fill(f32::NEG_INFINITY);
    }
}

/// Turns a row's logits into powers relative to its largest, and brings the sums so far to that base.
///
/// # Safety
/// The machine has V's instructions; `count` is a multiple of 16 and at most `stride`.
#[inline(always)]
unsafe fn soften<V: Lanes>(row: usize, count: usize, stride: usize, padded: usize, state: &mut State) {
    let scores = state.scores[row * stride..][..count].as_mut_ptr();
    // SAFETY: whole vectors within `count`, within a row of sums, and within a row of totals.
    unsafe {
        let mut tops = V::splat(state.top[row]);
        for i in (0..count).step_by(LANES) {
            tops = V::load(scores.add(i)).max(tops);
        }
        let top = tops.to_array().into_iter().fold(f32::NEG_INFINITY, f32::max);
        let mut total = V::load(state.total[row].as_ptr());
        if top > state.top[row] {
            let factor = V::splat(state.top[row] - top).exp();
            total = total.mul(factor);
            for d in (0..padded).step_by(LANES) {
                let sum = state.sums.as_mut_ptr().add(row * padded + d);
                V::load(sum).mul(factor).store(sum);
            }
            state.top[row] = top;
        }
        for i in (0..count).step_by(LANES) {
            let power = V::load(scores.add(i)).add(V::splat(-top)).exp();
            power.store(scores.add(i));
            total = total.add(power);
        }
        total.store(state.total[row].as_mut_ptr());
    }
}

/// # Safety
/// As for [`attend_tile_in`].
#[inline(always)]
unsafe fn finish(task: &Task<'_>, kv: &Kv, state: &State) {
    let (dim, padded) = (kv.shape.head_dim, kv.shape.padded_dim());
    for row in 0..task.rows.len() {
        let total: f32 = state.total[row].iter().sum();
        let at = (task.span.rows.start + task.token(row)) * task.out_stride + task.query_head(row) * dim;
        for d in 0..dim {
            // SAFETY: the row and the head are within the output and ours by the contract of the task.
            unsafe { *task.out.add(at + d) = state.sums[row * padded + d] / total };
        }
    }
}
