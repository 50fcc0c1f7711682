//! Devices: the only folder with `unsafe`.
//!
//! A [`Device`] has the verbs of the model and knows neither model nor scheduler. [`Reference`] is slow and
//! obvious (sums in `f64`); [`Cpu`] is fast; `conformance` holds one test body per verb that compares them.
#![allow(unsafe_code)]

mod cpu;
mod kv;
mod link;
mod matrix;
mod reference;
mod rows;

#[cfg(test)]
mod conformance;

pub use cpu::{Cpu, Simd};
pub use kv::{Kv, KvPrecision, KvShape};
pub use link::{Link, Severed, link};
pub use matrix::{MXFP4_BLOCK, MXFP4_VALUES, Matrix, Precision};
pub use reference::Reference;
pub use rows::{LANES, Rows};

use std::ops::Range;

/// What a model asks of the hardware. Outputs are sized by the caller; rows are tokens.
pub trait Device {
    /// `out[i] = table.row(tokens[i])`.
    fn embed(&self, table: &Matrix, tokens: &[u32], out: &mut Rows);

    /// `out = x / sqrt(mean(x^2) + eps) * weight`, row by row.
    fn rms_norm(&self, x: &Rows, weight: &[f32], eps: f32, out: &mut Rows);

    /// `out[r] = bias + matrix x[r]` for the rows of each group; the groups' rows do not overlap.
    fn matmul(&self, x: &Rows, groups: &[Group<'_>], out: &mut Rows);

    /// Rotates the first `heads` heads of each row by that row's angles: element i with element i + half.
    fn rope(&self, x: &mut Rows, heads: usize, angles: &Angles);

    /// Attention of the queries in the first `heads.query` heads of each row of `x` over the cache, which already
    /// holds the tokens of `spans`. Rows that no span names stay as they are.
    fn attend(&self, x: &Rows, kv: &Kv, spans: &[Span<'_>], heads: &Heads<'_>, out: &mut Rows);

    /// `out[i] = (clamp(up) + 1) g sigmoid(alpha g)`, `g = min(gate, limit)`; a row of `x` is gates, then ups.
    fn swiglu(&self, x: &Rows, alpha: f32, limit: f32, out: &mut Rows);

    /// The `top` largest logits of each row (the lower index on a tie) with the softmax over them, row after row.
    fn route(&self, logits: &Rows, top: usize, out: &mut Vec<Choice>);

    /// `out[i] = x[sources[i]]`.
    fn gather(&self, x: &Rows, sources: &[usize], out: &mut Rows);

    /// `out[i] = sum of weight * x[row]` over the parts of row i, in their order; `per_row` parts a row.
    fn combine(&self, x: &Rows, parts: &[(usize, f32)], per_row: usize, out: &mut Rows);

    /// `x += y`.
    fn add(&self, x: &mut Rows, y: &Rows);
}

/// Rows of a product that share a matrix: all of them, or the tokens of one expert.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// Which rows of the input and of the output.
    pub rows: Range<usize>,
    /// The weights.
    pub matrix: &'a Matrix,
    /// Where each output starts; empty for zero.
    pub bias: &'a [f32],
}

/// An expert chosen for a token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Which.
    pub expert: usize,
    /// Its share; the shares of a token sum to 1.
    pub weight: f32,
}

/// Cosines and sines for the tokens of a step: row r, pair i.
#[derive(Debug, Clone, Default)]
pub struct Angles {
    /// `[row][head_dim / 2]`, with the attention factor in it.
    pub cos: Vec<f32>,
    /// As `cos`.
    pub sin: Vec<f32>,
    /// Elements of a head: twice the pairs of a row.
    pub head_dim: usize,
}

/// Consecutive tokens of one sequence within a step.
#[derive(Debug, Clone)]
pub struct Span<'a> {
    /// Their rows.
    pub rows: Range<usize>,
    /// The position of the first.
    pub position: usize,
    /// The sequence's block table.
    pub blocks: &'a [u32],
}

/// The heads of one rank, and how they look at the cache.
#[derive(Debug, Clone)]
pub struct Heads<'a> {
    /// Query heads.
    pub query: usize,
    /// For each query head its key/value head in the cache; never decreasing.
    pub kv_of: &'a [usize],
    /// For each query head the logit that takes part in the softmax and has no value.
    pub sinks: &'a [f32],
    /// Factor on the products of query and key.
    pub scale: f32,
    /// How many tokens a query sees, itself included; `None`: all before it.
    pub window: Option<usize>,
}

impl Heads<'_> {
    /// The first position that a query at `position` sees.
    fn first_seen(&self, position: usize) -> usize {
        self.window.map_or(0, |window| (position + 1).saturating_sub(window))
    }
}
